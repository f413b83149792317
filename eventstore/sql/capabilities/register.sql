-- capabilities/register: insert or refresh capabilities, in the order of their ids so that two workers cannot deadlock.
-- Whoever keeps a list of them is told where one is new or differs from what was registered.
with given as (
  select c.capability_id, c.version, c.descriptor
  from jsonb_to_recordset(%(rows)s::text::jsonb) as c (capability_id text, version text, descriptor jsonb)
), changed as (
  select count(*) as number
  from given g
  left join flex_capabilities k on k.capability_id = g.capability_id and k.version = g.version
  where k.descriptor is distinct from g.descriptor
), kept as (
  insert into flex_capabilities as known (capability_id, version, descriptor, worker, source)
  select g.capability_id, g.version, g.descriptor, %(worker)s, %(source)s
  from given g
  order by g.capability_id, g.version
  on conflict (capability_id, version) do update
  set descriptor = excluded.descriptor, worker = excluded.worker, source = excluded.source,
      last_seen_at = clock_timestamp()
)
select pg_notify('flexrun_registry', '-;capabilities') from changed where number > 0
