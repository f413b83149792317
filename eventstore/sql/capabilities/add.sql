-- capabilities/add: register versions that are not there yet, all of them or, where one is there in other words, none.
-- None either where another tenant has one of these capabilities. One row for each version given: what is registered now, or null where another caller has registered it meanwhile.
with given as (
  select c.capability_id, c.version, c.descriptor
  from jsonb_to_recordset(%(rows)s::text::jsonb) as c (capability_id text, version text, descriptor jsonb)
), known as (
  select g.capability_id, g.version, k.descriptor, k.descriptor = g.descriptor as same, k.tenant
  from given g
  join flex_capabilities k on k.capability_id = g.capability_id and k.version = g.version
), others as (
  select distinct k.capability_id
  from given g
  join flex_capabilities k on k.capability_id = g.capability_id and k.tenant <> %(tenant)s
), added as (
  insert into flex_capabilities (capability_id, version, descriptor, worker, source, tenant)
  select g.capability_id, g.version, g.descriptor, %(worker)s, %(source)s, %(tenant)s
  from given g
  where not exists (select from known k where not k.same) and not exists (select from others)
  order by g.capability_id, g.version
  on conflict (capability_id, version) do nothing
  returning capability_id, version
), told as (
  select pg_notify('flexrun_registry', '-;capabilities') from added limit 1
)
select g.capability_id, g.version, k.descriptor, k.same, a.version is not null as added,
       exists (select from others o where o.capability_id = g.capability_id) as "foreign",
       (select count(*) from told) as told
from given g
left join known k on k.capability_id = g.capability_id and k.version = g.version
left join added a on a.capability_id = g.capability_id and a.version = g.version
