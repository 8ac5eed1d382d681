-- CreateTable
CREATE TABLE "creations" (
    "account_id" UUID NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "body_hash" TEXT NOT NULL,
    "created_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "creations_pkey" PRIMARY KEY ("account_id","idempotency_key")
);

-- CreateIndex
CREATE INDEX "creations_created_at_idx" ON "creations"("created_at");
