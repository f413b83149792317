-- capabilities/return_probe: the one call by which a failing endpoint is tried was not made; the next who asks may.
with returned as (
  update flex_capabilities c
  set open_until = clock_timestamp()
  where c.capability_id = %(capability_id)s and c.version = %(version)s and c.failures >= %(threshold)s
  returning c.version
)
select pg_notify('flexrun_registry', '-;capabilities') from returned
