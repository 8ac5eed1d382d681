#!/bin/sh
# Makes the standby the primary, and the primary a new standby: `sh deploy/cluster/promote.sh`. docs/cluster.md says when.
# A repeat completes what an interrupted one has begun.
set -eu
cd "$(dirname "$0")/../.."
export COMPOSE_FILE=docker-compose.yml:deploy/cluster/docker-compose.yml

# Asked once: Docker Compose reads its files again for each command, and purchases wait meanwhile.
containers=$(docker compose ps --all --format '{{.Service}} {{.ID}}')
id() { echo "$containers" | sed -n "s/^$1 //p"; }
state() { docker exec "$(id pgbouncer)" cat "/state/$1"; }
other() { if [ "$1" = postgres ]; then echo postgres-2; else echo postgres; fi; }
start() { docker start "$@" > /dev/null; }
stop() { docker stop -t "$1" "$(id "$2")" > /dev/null; }
is_standby() {
  docker exec "$(id "$1")" psql 'user=postgres connect_timeout=5' --no-align --tuples-only \
    --command 'select pg_is_in_recovery()' 2> /dev/null | grep -q t
}

primary=$(state primary)
standby=$(other "$primary")
# From here on, nothing changes what a commit waits for.
stop 0 replication

if is_standby "$primary"; then
  standby=$primary
  primary=$(other "$standby")
elif [ "$(state complete 2> /dev/null)" != "$standby" ]; then
  start "$(id replication)"
  echo "$standby may lack what was acknowledged: start $primary" >&2
  exit 1
fi

stop 5 "$primary"
# The former primary can no longer be started as one. Then no commit waits for a standby that is not there yet.
docker exec "$(id "$standby")" bash -euc '
  echo "$0" > /state/primary.new
  mv /state/primary.new /state/primary
  psql --username postgres --no-align --tuples-only --set ON_ERROR_STOP=1 \
    --command "alter system reset synchronous_standby_names" --command "select pg_reload_conf()" \
    --command "select pg_promote(true, 30)" | tail -n 1 | grep -q t' "$standby"
docker exec "$(id pgbouncer)" sh /scripts/pgbouncer.sh reload
start "$(id "$primary")" "$(id replication)"
echo "$standby is the primary, and $primary becomes its standby"
