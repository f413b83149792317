-- migrations/schemas: where tables of flexrun are, in the search path or not.
select n.nspname::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relname = 'flex_migrations' and c.relkind = 'r'
order by n.nspname
