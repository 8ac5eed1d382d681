-- What refunds have asked for and did not fail, and what the provider has given back of it. The CHECK is the rule that no payment
-- is refunded beyond its amount.
ALTER TABLE "payments" ADD COLUMN "refunds_claimed" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "payments" ADD COLUMN "refunded_amount" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "payments" ADD CONSTRAINT "payments_refunds_check"
    CHECK (0 <= "refunded_amount" AND "refunded_amount" <= "refunds_claimed" AND "refunds_claimed" <= "amount");

CREATE TABLE "refunds" (
    "id" UUID NOT NULL,
    "payment_id" UUID NOT NULL,
    "seller_id" UUID,
    "requested_by" TEXT NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "body_hash" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "product_ids" UUID[] NOT NULL,
    "reason" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "provider_reference" TEXT,
    "failure_reason" TEXT,
    "asked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "refunds_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "refunds_amount_check" CHECK ("amount" > 0),
    CONSTRAINT "refunds_status_check" CHECK ("status" IN ('REQUESTED', 'PROCESSING', 'COMPLETED', 'FAILED', 'RESOLVED'))
);

CREATE UNIQUE INDEX "refunds_payment_id_requested_by_idempotency_key_key"
    ON "refunds"("payment_id", "requested_by", "idempotency_key");
CREATE UNIQUE INDEX "refunds_provider_reference_key" ON "refunds"("provider_reference");
CREATE INDEX "refunds_payment_id_id_idx" ON "refunds"("payment_id", "id" DESC);
CREATE INDEX "refunds_status_id_idx" ON "refunds"("status", "id" DESC);

-- The sweep for refunds that have not ended, which are next to nothing of what is there.
CREATE INDEX "refunds_open_idx" ON "refunds"("asked_at") WHERE "status" IN ('REQUESTED', 'PROCESSING');

ALTER TABLE "refunds" ADD CONSTRAINT "refunds_payment_id_fkey" FOREIGN KEY ("payment_id") REFERENCES "payments"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
