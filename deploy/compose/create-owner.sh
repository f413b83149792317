#!/bin/sh
# Run once by the image of Postgres, when it makes its data: the owner of flexrun's tables, who is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v password="$(cat "${SECRETS:-/run/secrets}/owner_password")" <<'SQL'
create role flexrun_owner login createrole password :'password';
create database flexrun owner flexrun_owner encoding 'UTF8' template template0;
revoke connect, temporary on database flexrun from public;
SQL
