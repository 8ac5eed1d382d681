-- AlterTable
ALTER TABLE "products" ADD COLUMN "withdrawn_at" TIMESTAMPTZ(3);

-- Public lists leave out what is withdrawn, however many that are.
CREATE INDEX "products_offered_idx" ON "products"("id") WHERE "withdrawn_at" IS NULL;
CREATE INDEX "products_offered_category_idx" ON "products"("category_id", "id") WHERE "withdrawn_at" IS NULL;
CREATE INDEX "products_offered_account_idx" ON "products"("account_id", "id") WHERE "withdrawn_at" IS NULL;
CREATE INDEX "products_withdrawn_account_idx" ON "products"("account_id", "id") WHERE "withdrawn_at" IS NOT NULL;

-- CreateTable
CREATE TABLE "stock_adjustments" (
    "id" UUID NOT NULL,
    "product_id" UUID NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "quantity" INTEGER NOT NULL,
    "reason" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "stock_adjustments_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "stock_adjustments_quantity_check" CHECK ("quantity" > 0)
);

-- CreateIndex
CREATE INDEX "stock_adjustments_product_id_id_idx" ON "stock_adjustments"("product_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "stock_adjustments_product_id_idempotency_key_key" ON "stock_adjustments"("product_id", "idempotency_key");

-- AddForeignKey
ALTER TABLE "stock_adjustments" ADD CONSTRAINT "stock_adjustments_product_id_fkey" FOREIGN KEY ("product_id") REFERENCES "products"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
