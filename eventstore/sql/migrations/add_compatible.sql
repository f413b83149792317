-- migrations/add_compatible: the column that tables of earlier releases lack.
alter table flex_migrations add column if not exists compatible integer
