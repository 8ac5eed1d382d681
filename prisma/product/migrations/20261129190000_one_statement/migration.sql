-- Replaces the reply with which the calling statement has just claimed a command. Being VOLATILE it sees that row, which
-- the statement itself could not change a second time.
CREATE FUNCTION "replace_reply"("command" TEXT, "reply" JSONB) RETURNS JSONB LANGUAGE SQL VOLATILE AS $$
    UPDATE "inbox" SET "reply" = $2 WHERE "command_id" = $1 RETURNING "reply"
$$;

-- What a statement relies on: a cast of anything else fails the statement, and with it all that it wrote.
CREATE DOMAIN "ensured" AS BOOLEAN CONSTRAINT "ensured_check" CHECK (VALUE);
