# Run by PostgreSQL's image over an empty data folder, in its shell: one database, which only the role of its service may
# enter, as in the native stack.
psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set role="$SERVICE" --set database="${SERVICE}_db" --set password="$SERVICE_PASSWORD" <<'SQL'
create role :"role" login password :'password';
create database :"database" owner :"role";
revoke connect on database :"database" from public;
SQL
