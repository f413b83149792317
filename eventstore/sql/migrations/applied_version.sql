-- migrations/applied_version: the number of the last migration that ran here.
select coalesce(max(number), 0) from flex_migrations
