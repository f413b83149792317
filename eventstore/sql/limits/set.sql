-- limits/set: set limits of a tenant or caller; no row where there are too many already.
with changed as (
  insert into flex_limits as l (tenant, actor, name, most, set_by)
  select %(tenant)s, %(actor)s, n.name, n.most, %(set_by)s
  from unnest(%(names)s::text[], %(mosts)s::bigint[]) as n (name, most)
  where (select count(*) from flex_limits) < %(limit)s
     or exists (select from flex_limits o where o.tenant = %(tenant)s and o.actor = %(actor)s and o.name = n.name)
  on conflict (tenant, actor, name) do update
  set most = excluded.most, set_at = clock_timestamp(), set_by = excluded.set_by
  returning l.name
)
select c.name, pg_notify('flexrun_registry', '-;limits') from changed c
