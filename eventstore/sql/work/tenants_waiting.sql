-- work/tenants_waiting: how many tenants have free and due work in these queues, 2 for several: each is found by one look.
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
)
select count(*) from (
  select distinct t.tenant
  from tenants t
  cross join lateral (
    select f.due_at from flex_work f
    where f.queue = t.queue and f.tenant = t.tenant and not f.started and f.worker is null and f.due_at <= now()
    order by f.due_at
    limit 1) due
  limit 2
) counted
