-- sizes/indexes: bytes of each index of our tables, and how often it was used since the statistics began.
select i.indexrelid::regclass::text as name, i.indrelid::regclass::text as table_name,
       pg_relation_size(i.indexrelid) as bytes, coalesce(s.idx_scan, 0) as scans
from pg_index i
join pg_class c on c.oid = i.indrelid and c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
left join pg_stat_user_indexes s on s.indexrelid = i.indexrelid
order by bytes desc, name
