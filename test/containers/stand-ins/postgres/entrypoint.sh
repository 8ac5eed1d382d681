#!/bin/bash
# In a new data folder, makes a superuser with the password POSTGRES_PASSWORD, or that in the file POSTGRES_PASSWORD_FILE,
# and runs the scripts that are mounted, on a server that only its own socket reaches. Then becomes the server, with the
# arguments of the container.
set -euo pipefail
[ "${1:0:1}" != - ] || set -- postgres "$@"
# At each start, as the published image does: Kubernetes gives a folder to a group, and then no server starts in it.
mkdir -p "$PGDATA"
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}
  initdb --encoding=UTF8 --auth-local=trust --auth-host=scram-sha-256 --username=postgres \
    --pwfile=<(printf '%s\n' "$password") > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  pg_ctl --wait --silent --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ ! -f "$script" ] || . "$script"
  done
  pg_ctl --wait --silent --mode=fast stop
fi
exec "$@"
