#!/bin/bash
# Becomes one of the two PostgreSQL servers: the primary, if the volume `cluster-state` names it. Another one that is no
# standby yet, because it is new or was the primary, first makes itself a copy of the primary.
set -euo pipefail

# As the role with which a standby connects, here and in the server itself.
export PGPASSWORD=$REPLICATOR_PASSWORD
primary="host=$OTHER user=replicator"

# By steps that each need the one before: where a condition is asked for, bash does not stop at a failure.
copy() {
  rm -rf "$PGDATA.new" \
    && make_slot \
    && pg_basebackup --dbname="$primary" --pgdata="$PGDATA.new" --checkpoint=fast --wal-method=none \
    && touch "$PGDATA.new/standby.signal"
}

# For the log from here on, which the copy gets when it follows. The slot of a copy that was interrupted is in the way.
make_slot() {
  psql "$primary dbname=postgres replication=true" --quiet --command 'DROP_REPLICATION_SLOT standby' \
    --command 'CREATE_REPLICATION_SLOT standby PHYSICAL RESERVE_WAL' > /dev/null
}

if [ "$(< /state/primary)" = "$SERVER" ]; then
  if [ -e /state/complete ] && [ ! -e "$PGDATA" ]; then
    echo "$SERVER is the primary and has no data: promote $OTHER" >&2
    exit 1
  fi
elif [ ! -e "$PGDATA/standby.signal" ]; then
  until copy; do sleep 1; done
  rm -rf "$PGDATA"
  mv "$PGDATA.new" "$PGDATA"
  echo "$SERVER is a copy of $OTHER and follows it"
fi

exec docker-entrypoint.sh "$@" -c "primary_conninfo=$primary application_name=$SERVER"
