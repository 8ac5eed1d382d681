-- AlterTable
ALTER TABLE "accounts" ADD COLUMN "roles" TEXT[] DEFAULT ARRAY['buyer', 'seller']::TEXT[];

-- CreateTable
CREATE TABLE "role_changes" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "roles" TEXT[],
    "operator" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "role_changes_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "role_changes_account_id_id_idx" ON "role_changes"("account_id", "id");

-- AddForeignKey
ALTER TABLE "role_changes" ADD CONSTRAINT "role_changes_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE CASCADE ON UPDATE CASCADE;
