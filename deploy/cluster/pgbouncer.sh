#!/bin/sh
# `start` becomes PgBouncer, in front of the server that is the primary. `reload` tells the one that runs, after the
# primary has changed.
set -eu
umask 077
cd /tmp

for user in postgres account product order payment media purchase temporal; do
  case $user in
    postgres) password=$POSTGRES_PASSWORD ;;
    *) password=$(printenv "$(echo "$user" | tr '[:lower:]' '[:upper:]')_DB_PASSWORD") ;;
  esac
  echo "\"$user\" \"$password\""
done > users.new
mv users.new users.txt

sed "s/PRIMARY/$(cat /state/primary)/" /scripts/pgbouncer.ini > pgbouncer.new
mv pgbouncer.new pgbouncer.ini

case $1 in
  start) exec pgbouncer /tmp/pgbouncer.ini ;;
  reload) kill -HUP 1 ;;
esac
