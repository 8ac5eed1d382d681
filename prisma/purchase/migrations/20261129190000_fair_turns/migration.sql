-- AlterTable
ALTER TABLE "purchases" ADD COLUMN     "released_at" TIMESTAMPTZ(3);

-- Sagas that are under way were started without waiting for their turn.
UPDATE "purchases" SET "released_at" = "created_at" WHERE "status" IN ('ACCEPTED', 'PROCESSING');

-- What a customer has that is unfinished, and how much of it has started.
CREATE INDEX "purchases_unfinished_idx" ON "purchases"("customer_id", "released_at")
WHERE "status" IN ('ACCEPTED', 'PROCESSING');

-- What has started and not ended, in all.
CREATE INDEX "purchases_started_idx" ON "purchases"("released_at")
WHERE "status" IN ('ACCEPTED', 'PROCESSING') AND "released_at" IS NOT NULL;

-- The queue of purchases that wait for their turn.
CREATE INDEX "purchases_queue_idx" ON "purchases"("customer_id", "id")
WHERE "released_at" IS NULL AND "published_at" IS NULL AND "status" = 'ACCEPTED';

-- The sweep for purchases that had their turn and that Kafka has not got.
DROP INDEX "purchases_unpublished_idx";
CREATE INDEX "purchases_unpublished_idx" ON "purchases"("released_at")
WHERE "published_at" IS NULL AND "released_at" IS NOT NULL;
