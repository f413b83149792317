-- adopt/highest: the highest number that was given, and the transaction that this server is at.
select coalesce(max(number), 0)::bigint, pg_snapshot_xmin(pg_current_snapshot())::text::bigint from flex_adopted
