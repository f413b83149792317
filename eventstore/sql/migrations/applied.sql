-- migrations/applied: number and checksum of each.
select number, checksum from flex_migrations
