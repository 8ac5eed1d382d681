-- CreateTable
CREATE TABLE "purchases" (
    "id" UUID NOT NULL,
    "customer_id" UUID NOT NULL,
    "idempotency_key" TEXT,
    "body_hash" TEXT NOT NULL,
    "lines" JSONB NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency_code" TEXT NOT NULL,
    "payment_method" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "reason" TEXT,
    "failed_step" TEXT,
    "published_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "purchases_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "purchases_amount_check" CHECK ("amount" > 0),
    CONSTRAINT "purchases_currency_code_check" CHECK ("currency_code" ~ '^[A-Z]{3}$'),
    CONSTRAINT "purchases_status_check" CHECK ("status" IN ('ACCEPTED', 'PROCESSING', 'COMPLETED', 'REJECTED', 'CANCELLED', 'RESOLVED'))
);

-- CreateTable
CREATE TABLE "purchase_steps" (
    "purchase_id" UUID NOT NULL,
    "sequence" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "reason" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "purchase_steps_pkey" PRIMARY KEY ("purchase_id","sequence")
);

-- CreateIndex
CREATE INDEX "purchases_customer_id_id_idx" ON "purchases"("customer_id", "id" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "purchases_customer_id_idempotency_key_key" ON "purchases"("customer_id", "idempotency_key");

-- The sweep for purchases that Kafka has not got.
CREATE INDEX "purchases_unpublished_idx" ON "purchases"("created_at") WHERE "published_at" IS NULL;

-- AddForeignKey
ALTER TABLE "purchase_steps" ADD CONSTRAINT "purchase_steps_purchase_id_fkey" FOREIGN KEY ("purchase_id") REFERENCES "purchases"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
