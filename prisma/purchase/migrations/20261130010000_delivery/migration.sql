-- AlterTable
ALTER TABLE "purchases" ADD COLUMN "delivery" JSONB;
