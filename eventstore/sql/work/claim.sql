-- work/claim: claim free and due work of these queues, tenant by tenant in turn, and of each tenant the oldest first;
-- locked rows are skipped. A tenant's turn comes by how much it was served before (`served`, with `floor` for those that
-- are not listed) and by its weight: its nth piece has its turn at served + (n - 1) / weight. Nobody's backlog is read
-- further than the limit. Of suspects, over which a worker was lost before, one at a time: work that was lost together
-- is not to be lost together again.
with recursive tenants (queue, tenant) as (
  select q.queue, (
    select f.tenant from flex_work f
    where f.queue = q.queue and not f.started and f.worker is null
    order by f.tenant limit 1)
  from unnest(%(queues)s::text[]) as q (queue)
  union all
  select t.queue, (
    select f.tenant from flex_work f
    where f.queue = t.queue and f.tenant > t.tenant and not f.started and f.worker is null
    order by f.tenant limit 1)
  from tenants t
  where t.tenant is not null
), waiting as (
  select t.queue, t.tenant, coalesce(s.served, %(floor)s) as served, coalesce(l.most, 1) as weight
  from tenants t
  left join unnest(%(tenants)s::text[], %(served)s::double precision[]) as s (tenant, served) on s.tenant = t.tenant
  left join flex_limits l on l.tenant = t.tenant and l.actor = '' and l.name = 'weight'
  -- Not "exists", which may be turned into a join with all that is due.
  cross join lateral (
    select f.due_at from flex_work f
    where f.queue = t.queue and f.tenant = t.tenant and not f.started and f.worker is null and f.due_at <= now()
    order by f.due_at
    limit 1) due
  order by coalesce(s.served, %(floor)s), t.tenant
  limit %(tenants_limit)s
), free as (
  select w.run_id, w.kind, w.ref, w.due_at, coalesce(w.losses <> '[]', false) as suspect, t.tenant, t.weight,
         t.served + (row_number() over (partition by t.tenant order by w.due_at) - 1)::double precision / t.weight as turn
  from waiting t
  cross join lateral (
    select f.run_id, f.kind, f.ref, f.due_at, f.losses
    from flex_work f
    where f.queue = t.queue and f.tenant = t.tenant and not f.started and f.worker is null and f.due_at <= now()
    order by f.due_at
    limit %(limit)s
    for update skip locked
  ) w
), chosen as (
  select f.* from free f order by f.turn, f.due_at limit %(limit)s
), allowed as (
  select f.run_id, f.kind, f.ref, f.weight, f.turn
  from (select *, row_number() over (partition by suspect order by turn, due_at) as nth from chosen) f
  where not f.suspect or (f.nth = 1 and not %(has_suspect)s)
)
update flex_work w
set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from allowed a
where w.run_id = a.run_id and w.kind = a.kind and w.ref = a.ref
returning w.*, a.weight, a.turn
