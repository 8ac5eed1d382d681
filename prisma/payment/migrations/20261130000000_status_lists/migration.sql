-- CreateIndex
CREATE INDEX "payments_customer_id_status_id_idx" ON "payments"("customer_id", "status", "id" DESC);
