-- sizes/tables: bytes of each of our tables, of its large values apart (TOAST) and of its indexes, and its rows as the
-- planner knows them; -1 where it was never looked at.
select c.relname as name,
       pg_table_size(c.oid) - coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) as table_bytes,
       coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) as large_value_bytes,
       pg_indexes_size(c.oid) as index_bytes,
       pg_total_relation_size(c.oid) as total_bytes,
       c.reltuples::bigint as rows_about
from pg_class c
where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
order by total_bytes desc, name
