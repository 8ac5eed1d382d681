-- Why a purchase waits for an operator.
ALTER TABLE "purchases" ADD COLUMN     "attention_reason" TEXT;

-- The purchases that wait for an operator, those that wait longest first.
CREATE INDEX "purchases_attention_idx" ON "purchases"("needs_attention_at") WHERE "needs_attention_at" IS NOT NULL;
