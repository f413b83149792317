-- capabilities/remove: take a version, or all versions, out of the registry.
with gone as (
  delete from flex_capabilities c
  where c.capability_id = %(capability_id)s and (%(tenant)s::text = '*' or c.tenant = %(tenant)s)
    and (%(version)s::text is null or c.version = %(version)s::text)
  returning c.capability_id, c.version
), unserved as (
  delete from flex_capability_workers w using gone g
  where w.capability_id = g.capability_id and w.version = g.version
)
select g.version, pg_notify('flexrun_registry', '-;capabilities') from gone g order by g.version
