# Run by PostgreSQL's image over an empty data folder, in its shell: a database for each service.
for service in account product order payment media purchase; do
  SERVICE="$service" SERVICE_PASSWORD="$(cat "/run/passwords/$service")" bash /set-up/database.sh
done
