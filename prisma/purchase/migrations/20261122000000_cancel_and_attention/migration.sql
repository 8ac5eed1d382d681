-- AlterTable
ALTER TABLE "purchases" ADD COLUMN     "cancel_delivered_at" TIMESTAMPTZ(3),
ADD COLUMN     "cancel_requested_at" TIMESTAMPTZ(3),
ADD COLUMN     "needs_attention_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "purchase_actions" (
    "action_id" TEXT NOT NULL,
    "purchase_id" UUID NOT NULL,
    "operator" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "step" TEXT,
    "note" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "purchase_actions_pkey" PRIMARY KEY ("action_id")
);

-- CreateIndex
CREATE INDEX "purchase_actions_purchase_id_at_idx" ON "purchase_actions"("purchase_id", "at");

-- The sweep for wishes to cancel that no saga has heard of.
CREATE INDEX "purchases_undelivered_cancel_idx" ON "purchases"("cancel_requested_at")
WHERE "cancel_requested_at" IS NOT NULL AND "cancel_delivered_at" IS NULL;

-- The sweep for purchases that do not end.
CREATE INDEX "purchases_open_idx" ON "purchases"("updated_at") WHERE "status" IN ('ACCEPTED', 'PROCESSING');
