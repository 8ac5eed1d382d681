-- AlterTable
ALTER TABLE "purchases" ADD COLUMN "refunded_amount" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "sales" ADD COLUMN "refunded_amount" BIGINT NOT NULL DEFAULT 0;

-- The refunds that have ended, so that an end that is announced twice counts once.
CREATE TABLE "purchase_refunds" (
    "refund_id" UUID NOT NULL,
    "purchase_id" UUID NOT NULL,
    "seller_id" UUID,
    "amount" BIGINT NOT NULL,
    "status" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "purchase_refunds_pkey" PRIMARY KEY ("refund_id")
);

CREATE INDEX "purchase_refunds_purchase_id_idx" ON "purchase_refunds"("purchase_id");
