-- applied_migrations: number and checksum of each.
select number, checksum from flex_migrations
