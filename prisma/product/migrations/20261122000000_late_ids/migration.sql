-- CreateTable
CREATE TABLE "late_ids" (
    "filter" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "mark" UUID NOT NULL,

    CONSTRAINT "late_ids_pkey" PRIMARY KEY ("filter","id")
);
