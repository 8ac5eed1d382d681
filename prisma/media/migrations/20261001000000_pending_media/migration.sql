-- CreateTable
CREATE TABLE "pending_media" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "abandoned" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "pending_media_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "pending_media_kind_check" CHECK ("kind" IN ('image', 'video'))
);
