-- migrations/create_table: which migrations ran here. `compatible`: processes of releases that know this one and all
-- before it can go on with the schema after the migration; null from releases that did not say.
create table if not exists flex_migrations (
  number     integer     not null constraint flex_migrations_pkey primary key,
  name       text        not null,
  checksum   text        not null,
  applied_at timestamptz not null default clock_timestamp(),
  compatible integer
)
