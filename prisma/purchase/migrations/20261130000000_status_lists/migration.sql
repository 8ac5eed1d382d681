-- CreateIndex
CREATE INDEX "purchases_customer_id_status_id_idx" ON "purchases"("customer_id", "status", "id" DESC);
