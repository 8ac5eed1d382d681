-- The provider is a system of its own and keeps its own books.
DROP TABLE "provider_charges";
DROP TABLE "provider_ledger";

-- A payment is found by what the provider calls it, and no two payments are one charge.
CREATE UNIQUE INDEX "payments_provider_reference_key" ON "payments"("provider_reference");

CREATE TABLE "provider_events" (
    "seq" BIGSERIAL NOT NULL,
    "id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "reference" TEXT,
    "payment_id" UUID,
    "amount" BIGINT,
    "outcome" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "provider_events_pkey" PRIMARY KEY ("seq"),
    CONSTRAINT "provider_events_outcome_check" CHECK ("outcome" IN ('SETTLED', 'KNOWN', 'OUTSIDE'))
);

CREATE UNIQUE INDEX "provider_events_id_key" ON "provider_events"("id");
CREATE INDEX "provider_events_outcome_seq_idx" ON "provider_events"("outcome", "seq" DESC);

-- The sweep for payments that nobody answered, which are next to nothing of what is there.
CREATE INDEX "payments_pending_idx" ON "payments"("updated_at") WHERE "status" = 'PENDING';
