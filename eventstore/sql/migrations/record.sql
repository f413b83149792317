-- migrations/record: written in the transaction of the migration itself.
insert into flex_migrations (number, name, checksum, compatible) values (%s, %s, %s, %s)
