-- capabilities/call_failed: count a failure of an endpoint in a row; from a number on it is not called for a while, which
-- doubles with each further one. Failures of calls that were under way when that began do not count.
with counted as (
  update flex_capabilities c
  set failures = c.failures + 1,
      open_until = case when c.failures + 1 >= %(threshold)s then
        clock_timestamp() + make_interval(
          secs => least(%(longest_seconds)s, %(first_seconds)s * 2 ^ least(c.failures + 1 - %(threshold)s, 20)))
      end
  where c.capability_id = %(capability_id)s and c.version = %(version)s
    and (c.open_until is null or c.open_until <= clock_timestamp() or %(probed)s)
  returning c.failures, c.open_until
)
select c.failures, c.open_until,
       case when c.open_until is not null then pg_notify('flexrun_registry', '-;capabilities') end
from counted c
