-- processes/announce_roles: this session's process plays these roles; others see it by the locks, until the session ends.
select pg_advisory_lock_shared(731650488, known.number)
from (values ('gateway', 1), ('planner', 2), ('executor', 3)) as known (role, number)
where known.role = any(%(roles)s::text[])
