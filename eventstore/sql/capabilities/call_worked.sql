-- capabilities/call_worked: the endpoint works (again): its failures are forgotten.
with closed as (
  update flex_capabilities c
  set failures = 0, open_until = null
  where c.capability_id = %(capability_id)s and c.version = %(version)s and c.failures > 0
  returning c.failures
)
select pg_notify('flexrun_registry', '-;capabilities') from closed
