-- RETURNED: sold, and free again after a refund. Such stock does not count as sold any more.
ALTER TABLE "holds" DROP CONSTRAINT "holds_status_check";
ALTER TABLE "holds" ADD CONSTRAINT "holds_status_check" CHECK ("status" IN ('HELD', 'SOLD', 'RELEASED', 'RETURNED')) NOT VALID;
ALTER TABLE "holds" VALIDATE CONSTRAINT "holds_status_check";
