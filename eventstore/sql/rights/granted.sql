-- rights/granted: the roles other than the owner that may read what was migrated, and whether each may append.
select r.rolname::text as name, has_table_privilege(r.oid, 'flex_events', 'insert') as appends
from pg_class c
cross join aclexplode(c.relacl) a
join pg_roles r on r.oid = a.grantee
where c.oid = 'flex_migrations'::regclass and a.privilege_type = 'SELECT' and a.grantee <> c.relowner
order by appends desc, name
