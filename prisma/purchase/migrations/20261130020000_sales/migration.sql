-- CreateTable
CREATE TABLE "sales" (
    "seller_id" UUID NOT NULL,
    "purchase_id" UUID NOT NULL,
    "product_ids" UUID[],

    CONSTRAINT "sales_pkey" PRIMARY KEY ("seller_id","purchase_id")
);

-- AddForeignKey
ALTER TABLE "sales" ADD CONSTRAINT "sales_purchase_id_fkey" FOREIGN KEY ("purchase_id") REFERENCES "purchases"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
