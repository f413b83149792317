-- work/list: outstanding work, oldest first, as an operator looks at it. `served` says of free and due work whether
-- somebody is there to take it; null for any other. A worker's name finds the claims of its process, too.
with named as (
  select w.*,
    case
      when w.queue = %(timer_queue)s then 'timer'
      when w.worker is null then case when w.due_at <= clock_timestamp() then 'due' else 'later' end
      when w.worker like 'callback/%%' then 'callback'
      when w.worker like 'limit/%%' or w.worker like 'endpoint/%%' then 'parked'
      when w.started then 'running'
      else 'claimed'
    end as state
  from flex_work w
  where (%(run_id)s::uuid is null or w.run_id = %(run_id)s::uuid)
    and (%(queue)s::text is null or w.queue = %(queue)s)
    and (%(kind)s::text is null or w.kind = %(kind)s)
    and (%(worker)s::text is null or w.worker = %(worker)s
      or w.worker like 'claim:%%' and split_part(w.worker, ':', 2) = substring(%(worker)s from '[^:]*$'))
    and (w.due_at, w.run_id, w.kind, w.ref) >
        (coalesce(%(after_due)s::timestamptz, '-infinity'), coalesce(%(after_run)s::uuid, '00000000-0000-0000-0000-000000000000'),
         %(after_kind)s, %(after_ref)s)
), page as (
  select * from named n
  where n.state = any (%(states)s)
  order by n.due_at, n.run_id, n.kind, n.ref
  limit %(limit)s
)
select p.*, clock_timestamp() as asked_at, n.capability_id, n.capability_version, r.status as run_status,
  case when p.state = 'due' then exists (
    select from flex_processes s
    where p.queue = any (s.queues) and s.heard_at > clock_timestamp() - make_interval(secs => %(silent_seconds)s)
      and (p.kind <> 'node' or exists (
        select from flex_capability_workers k where k.worker = s.worker and k.capability_id = n.capability_id)
        or exists (
          select from flex_capabilities h
          where h.capability_id = n.capability_id
            and coalesce(h.descriptor #>> '{home,type}', 'python') not in ('python', 'worker')))
  ) end as served
from page p
join flex_runs r on r.run_id = p.run_id
left join flex_plan_nodes n on p.kind = 'node' and n.run_id = p.run_id and n.node_id = p.ref
order by p.due_at, p.run_id, p.kind, p.ref
