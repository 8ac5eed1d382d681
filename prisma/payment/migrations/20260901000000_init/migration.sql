-- CreateTable
CREATE TABLE "payments" (
    "id" UUID NOT NULL,
    "customer_id" UUID NOT NULL,
    "status" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency_code" TEXT NOT NULL,
    "method" TEXT NOT NULL,
    "provider_reference" TEXT,
    "failure_reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    -- id is the purchase, so a purchase has at most one payment and at most one capture.
    CONSTRAINT "payments_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "payments_status_check" CHECK ("status" IN ('PENDING', 'CAPTURED', 'DECLINED', 'REFUNDED', 'VOIDED')),
    CONSTRAINT "payments_amount_check" CHECK ("amount" > 0),
    CONSTRAINT "payments_currency_code_check" CHECK ("currency_code" ~ '^[A-Z]{3}$')
);

-- CreateTable
CREATE TABLE "provider_charges" (
    "key" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency_code" TEXT NOT NULL,
    "method" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "provider_charges_pkey" PRIMARY KEY ("key"),
    CONSTRAINT "provider_charges_status_check" CHECK ("status" IN ('NEW', 'CAPTURED', 'DECLINED', 'REFUNDED', 'VOIDED')),
    CONSTRAINT "provider_charges_currency_code_check" CHECK ("currency_code" ~ '^[A-Z]{3}$')
);

-- CreateTable
CREATE TABLE "provider_ledger" (
    "id" BIGSERIAL NOT NULL,
    "key" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency_code" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "provider_ledger_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "provider_ledger_kind_check" CHECK ("kind" IN ('CAPTURE', 'REFUND', 'VOID')),
    CONSTRAINT "provider_ledger_currency_code_check" CHECK ("currency_code" ~ '^[A-Z]{3}$')
);

-- CreateTable
CREATE TABLE "inbox" (
    "command_id" TEXT NOT NULL,
    "reply" JSONB,
    "undone" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "inbox_pkey" PRIMARY KEY ("command_id")
);

-- CreateIndex
CREATE INDEX "payments_customer_id_id_idx" ON "payments"("customer_id", "id" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "provider_ledger_key_kind_key" ON "provider_ledger"("key", "kind");
