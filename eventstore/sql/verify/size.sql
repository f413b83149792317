-- verify/size: about how many events there are, as the statistics of the database know it.
select greatest(reltuples, 0)::bigint from pg_class where oid = 'flex_events'::regclass
