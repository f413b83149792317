-- migrations/create_table: which migrations ran here.
create table if not exists flex_migrations (
  number     integer     not null constraint flex_migrations_pkey primary key,
  name       text        not null,
  checksum   text        not null,
  applied_at timestamptz not null default clock_timestamp()
)
