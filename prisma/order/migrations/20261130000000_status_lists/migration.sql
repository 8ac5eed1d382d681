-- CreateIndex
CREATE INDEX "orders_customer_id_status_id_idx" ON "orders"("customer_id", "status", "id" DESC);
