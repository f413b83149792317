-- rights/granted: the roles other than the owner that may read what was migrated, and whether each may append.
select a.grantee::regrole::text as name, has_table_privilege(a.grantee, 'flex_events', 'insert') as appends
from pg_class c, aclexplode(c.relacl) a
where c.oid = 'flex_migrations'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (0, c.relowner)
order by appends desc, name
