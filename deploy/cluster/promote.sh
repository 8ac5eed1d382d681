#!/bin/sh
# Makes the standby the primary, and the primary a new standby: `sh deploy/cluster/promote.sh`. docs/cluster.md says when.
# A repeat completes what an interrupted one has begun.
set -eu
cd "$(dirname "$0")/../.."
export COMPOSE_FILE=docker-compose.yml:deploy/cluster/docker-compose.yml

state() { docker compose exec -T pgbouncer cat "/state/$1"; }
other() { if [ "$1" = postgres ]; then echo postgres-2; else echo postgres; fi; }
ask() { docker compose exec -T "$1" psql 'user=postgres connect_timeout=5' --no-align --tuples-only --command "$2"; }

primary=$(state primary)
standby=$(other "$primary")
# From here on, nothing changes what a commit waits for.
docker compose stop --timeout 0 replication

if [ "$(ask "$primary" 'select pg_is_in_recovery()' 2> /dev/null)" = t ]; then
  standby=$primary
  primary=$(other "$standby")
elif [ "$(state complete 2> /dev/null)" != "$standby" ]; then
  docker compose start replication
  echo "$standby may lack what was acknowledged: start $primary" >&2
  exit 1
fi

# From here on, the former primary can neither take a write nor be started as one.
docker compose stop --timeout 5 "$primary"
docker compose exec -T "$standby" bash -euc 'echo "$0" > /state/primary.new; mv /state/primary.new /state/primary' "$standby"
# Before the promotion: a first commit would wait for a standby that is not there yet.
ask "$standby" 'alter system reset synchronous_standby_names'
ask "$standby" 'select pg_reload_conf()'
[ "$(ask "$standby" 'select pg_promote(true, 30)')" = t ]
docker compose exec -T pgbouncer sh /scripts/pgbouncer.sh reload
docker compose start "$primary" replication
echo "$standby is the primary, and $primary becomes its standby"
