-- capabilities/probe: take the one call by which a failing endpoint is tried; no row where it is not due or another's.
with probe as (
  update flex_capabilities c
  set open_until = clock_timestamp() + make_interval(secs => %(seconds)s)
  where c.capability_id = %(capability_id)s and c.version = %(version)s and c.failures >= %(threshold)s
    and c.open_until <= clock_timestamp()
  returning c.version
)
select p.version, pg_notify('flexrun_registry', '-;capabilities') from probe p
