-- Events of a time are found in the order of their times, without reading those before and after it.
CREATE INDEX "provider_events_created_at_seq_idx" ON "provider_events"("created_at", "seq");
