-- rights/roles: of these roles those that exist, whether one could do more than it is granted, and why.
select r.rolname::text,
       case
         when r.rolsuper then 'it is a superuser'
         when r.rolname = current_user then 'it is the account that sets up the roles'
         when exists (select from pg_class c where c.relowner = r.oid and c.relname = 'flex_events')
           then 'it owns the tables'
         when pg_has_role(r.oid, (select c.relowner from pg_class c where c.oid = 'flex_events'::regclass), 'member')
           then 'it is a member of the role that owns the tables'
       end as unfit
from pg_roles r
where r.rolname = any (%(names)s::text[])
