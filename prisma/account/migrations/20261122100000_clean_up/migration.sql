-- What the clean-up looks for: the moment since which nobody can use a row.
CREATE INDEX "sessions_dead_idx" ON "sessions"(least("expires_at", "ended_at"));

CREATE INDEX "email_codes_expires_at_idx" ON "email_codes"("expires_at");

CREATE INDEX "outbox_sent_idx" ON "outbox"("sent_at") WHERE "sent_at" IS NOT NULL;
