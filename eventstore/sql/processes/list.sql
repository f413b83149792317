-- processes/list: what takes work or answers requests: the leases that each role holds, what it serves, and for how
-- long the oldest free and due work has waited that it serves. Of each queue the first two hundred due are looked at.
with page as (
  select * from flex_processes p
  where (%(role)s::text is null or p.role = %(role)s)
    and (%(queue)s::text is null or %(queue)s = any (p.queues))
    and (%(capability_id)s::text is null or exists (
      select from flex_capability_workers s where s.worker = p.worker and s.capability_id = %(capability_id)s))
    and (p.worker, p.role) > (%(after_worker)s, %(after_role)s)
  order by p.worker, p.role
  limit %(limit)s
), held as (
  select case when w.worker like 'claim:%%' then split_part(w.worker, ':', 2) else w.worker end as holder,
         w.kind = 'plan' as is_plan, count(*) as leases
  from flex_work w
  where w.worker is not null and w.worker !~ '^(limit|endpoint|callback)/'
  group by 1, 2
)
select p.*, clock_timestamp() as asked_at,
       coalesce(leases.total, 0)::int as in_flight,
       coalesce(served.capabilities, '{}') as capabilities,
       waits.seconds::float8 as waiting_seconds
from page p
left join lateral (
  select sum(h.leases) as total from held h
  where h.holder in (p.worker, substring(p.worker from '[^:]*$'))
    and case p.role when 'planner' then h.is_plan when 'gateway' then false else not h.is_plan end
) leases on true
left join lateral (
  select array_agg(s.capability_id || ' ' || s.version order by s.capability_id, s.version) as capabilities
  from flex_capability_workers s
  where s.worker = p.worker and p.role in ('executor', 'worker')
) served on true
left join lateral (
  select max(extract(epoch from clock_timestamp() - oldest.due_at)) as seconds
  from unnest(p.queues) as q (queue)
  cross join lateral (
    select f.due_at
    from (
      select * from flex_work d
      where d.queue = q.queue and not d.started and d.worker is null and d.due_at <= clock_timestamp()
      order by d.due_at
      limit 200
    ) f
    left join flex_plan_nodes n on f.kind = 'node' and n.run_id = f.run_id and n.node_id = f.ref
    left join flex_capabilities c on c.capability_id = n.capability_id and c.version = n.capability_version
    where f.kind <> 'node' or not coalesce(c.disabled, false) and (
      exists (select from flex_capability_workers s where s.worker = p.worker and s.capability_id = n.capability_id)
      or exists (
        select from flex_capabilities h
        where h.capability_id = n.capability_id
          and coalesce(h.descriptor #>> '{home,type}', 'python') not in ('python', 'worker')))
    order by f.due_at
    limit 1
  ) oldest
) waits on true
order by p.worker, p.role
