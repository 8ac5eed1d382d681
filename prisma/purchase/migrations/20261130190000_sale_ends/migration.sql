-- A seller's sales of one status are found without reading the others. Most sales complete, so they store nothing.
ALTER TABLE "sales" ADD COLUMN "ended_as" TEXT;
UPDATE "sales" SET "ended_as" = "status" FROM "purchases"
WHERE "id" = "purchase_id" AND "status" NOT IN ('ACCEPTED', 'PROCESSING', 'COMPLETED');

CREATE INDEX "sales_ended_as_idx" ON "sales"("seller_id", "ended_as", "purchase_id" DESC)
WHERE "ended_as" IS NOT NULL;
CREATE INDEX "sales_sold_idx" ON "sales"("seller_id", "purchase_id" DESC)
WHERE "ended_as" IS NULL;

-- The deliveries of one customer, who may have many purchases.
CREATE INDEX "purchases_delivered_idx" ON "purchases"("customer_id", "id")
WHERE "delivery" IS NOT NULL;
