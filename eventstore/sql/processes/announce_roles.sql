-- processes/announce_roles: show the roles of this session's process to others, by advisory locks that last until the
-- session ends.
select pg_advisory_lock_shared(731650488, known.number)
from (values ('gateway', 1), ('planner', 2), ('executor', 3)) as known (role, number)
where known.role = any(%(roles)s::text[])
