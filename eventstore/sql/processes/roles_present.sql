-- processes/roles_present: the roles of the processes that listen on this database; see announce_roles.
select distinct known.role
from (values ('gateway', 1), ('planner', 2), ('executor', 3)) as known (role, number)
join pg_locks as held
  on held.locktype = 'advisory' and held.classid = 731650488 and held.objid = known.number::oid and held.objsubid = 2
where held.database = (select oid from pg_database where datname = current_database())
