-- CreateIndex
CREATE INDEX "sales_purchase_id_idx" ON "sales"("purchase_id");
