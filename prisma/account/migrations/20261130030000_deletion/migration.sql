-- AlterTable
ALTER TABLE "accounts" ADD COLUMN "deletion_requested_at" TIMESTAMPTZ(3);

-- The sweep reads those that are to be deleted, and no other account.
CREATE INDEX "accounts_to_delete_idx" ON "accounts"("deletion_requested_at", "id") WHERE "deletion_requested_at" IS NOT NULL;
