-- capabilities/set_disabled: disable or enable a version, or all versions; enabling closes the circuit breaker too.
with changed as (
  update flex_capabilities c
  set disabled = %(disabled)s, failures = 0, open_until = null
  where c.capability_id = %(capability_id)s and (%(tenant)s::text = '*' or c.tenant = %(tenant)s)
    and (%(version)s::text is null or c.version = %(version)s::text)
  returning c.version
)
select c.version, pg_notify('flexrun_registry', '-;capabilities') from changed c order by c.version
