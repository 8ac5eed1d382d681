-- Codes by the client that asked for them, so that a stranger's guesses and requests do not use up the owner's. Codes in
-- "email_codes" expire within hours. That table is left to the previous release and goes with a later one.
CREATE TABLE "mailed_codes" (
    "account_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "asked_by" TEXT NOT NULL,
    "code_hash" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "own_guesses" INTEGER NOT NULL DEFAULT 0,
    "other_guesses" INTEGER NOT NULL DEFAULT 0,
    "sent" INTEGER NOT NULL DEFAULT 1,
    "counted_since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "mailed_codes_pkey" PRIMARY KEY ("account_id", "kind", "asked_by"),
    CONSTRAINT "mailed_codes_kind_check" CHECK ("kind" IN ('verify', 'reset'))
);

CREATE INDEX "mailed_codes_expires_at_idx" ON "mailed_codes"("expires_at");

ALTER TABLE "mailed_codes" ADD CONSTRAINT "mailed_codes_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A keyed hash of the address from which the session was begun.
ALTER TABLE "sessions" ADD COLUMN "client_hash" TEXT;
