# Run by PostgreSQL's image over the empty data folder of the first primary, in its shell: a database for each service, as
# in docker-compose.yml, those of Temporal, and the role as which the standby follows.
for service in account product order payment media purchase; do
  password=${service^^}_DB_PASSWORD
  SERVICE=$service SERVICE_PASSWORD=${!password} bash -eu /scripts/database.sh
done

psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set temporal="$TEMPORAL_DB_PASSWORD" --set replicator="$REPLICATOR_PASSWORD" <<'SQL'
create role temporal login password :'temporal';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
revoke connect on database temporal, temporal_visibility from public;
create role replicator replication login password :'replicator';
SQL
echo 'host replication replicator all scram-sha-256' >> "$PGDATA/pg_hba.conf"
