-- The sweep for holds that are not settled, which are next to nothing of what is there.
CREATE INDEX "holds_held_idx" ON "holds"("purchase_id") WHERE "status" = 'HELD';
