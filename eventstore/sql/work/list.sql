-- work/list: outstanding work, oldest first, as an operator looks at it. `served` says of free and due work whether
-- somebody is there to take it; null for any other. A worker's name finds the claims of its process, too.
-- Walks the work of a run, or that of each queue (flex_work_free) and of each holder (flex_work_leased), a page of each:
-- with ties, since pages are in the order of due time, run, kind and reference, and indexes in that of due time.
with found as (
 (select w.*
  from flex_work w
  where w.run_id = %(run_id)s::uuid
    and (%(queue)s::text is null or w.queue = %(queue)s)
    and (%(kind)s::text is null or w.kind = %(kind)s)
    and (%(worker)s::text is null or w.worker = %(worker)s
      or w.worker like 'claim:%%' and split_part(w.worker, ':', 2) = substring(%(worker)s from '[^:]*$')))
  union all
 (select w.*
  from flex_free_queues() as q (queue)
  cross join lateral (
    select * from flex_work f
    where f.queue = q.queue and not f.started and f.worker is null
      and f.due_at >= greatest(
        %(after_due)s::timestamptz,
        case when q.queue = %(timer_queue)s or 'due' = any (%(states)s) then '-infinity' else now() end)
      and f.due_at <= case when q.queue = %(timer_queue)s or 'later' = any (%(states)s) then 'infinity' else now() end
      and (f.due_at, f.run_id, f.kind, f.ref) >
          (coalesce(%(after_due)s::timestamptz, '-infinity'),
           coalesce(%(after_run)s::uuid, '00000000-0000-0000-0000-000000000000'), %(after_kind)s, %(after_ref)s)
      and (%(kind)s::text is null or f.kind = %(kind)s)
      and case when f.queue = %(timer_queue)s then 'timer' when f.due_at <= now() then 'due' else 'later' end
          = any (%(states)s)
    order by f.due_at
    fetch first (%(limit)s) rows with ties
  ) w
  where %(run_id)s::uuid is null and %(worker)s::text is null
    and (%(queue)s::text is null or q.queue = %(queue)s)
    and case when q.queue = %(timer_queue)s then 'timer' = any (%(states)s) else %(states)s::text[] && '{due,later}' end)
  union all
 (select w.*
  from flex_holders() as h (worker)
  cross join lateral (
    select * from flex_work f
    where f.worker = h.worker
      and f.due_at >= coalesce(%(after_due)s::timestamptz, '-infinity')
      and (f.due_at, f.run_id, f.kind, f.ref) >
          (coalesce(%(after_due)s::timestamptz, '-infinity'),
           coalesce(%(after_run)s::uuid, '00000000-0000-0000-0000-000000000000'), %(after_kind)s, %(after_ref)s)
      and (%(queue)s::text is null or f.queue = %(queue)s)
      and (%(kind)s::text is null or f.kind = %(kind)s)
      and case
          when f.queue = %(timer_queue)s then 'timer'
          when h.worker like 'callback/%%' then 'callback'
          when h.worker like 'limit/%%' or h.worker like 'endpoint/%%' then 'parked'
          when f.started then 'running'
          else 'claimed'
        end = any (%(states)s)
    order by f.due_at
    fetch first (%(limit)s) rows with ties
  ) w
  where %(run_id)s::uuid is null
    and (%(worker)s::text is null or h.worker = %(worker)s
      or h.worker like 'claim:%%' and split_part(h.worker, ':', 2) = substring(%(worker)s from '[^:]*$'))
    and case
        when h.worker like 'callback/%%' then %(states)s::text[] && '{callback,timer}'
        when h.worker like 'limit/%%' or h.worker like 'endpoint/%%' then %(states)s::text[] && '{parked,timer}'
        else %(states)s::text[] && '{claimed,running,timer}'
      end)
), named as (
  select w.*,
    case
      when w.queue = %(timer_queue)s then 'timer'
      when w.worker is null then case when w.due_at <= now() then 'due' else 'later' end
      when w.worker like 'callback/%%' then 'callback'
      when w.worker like 'limit/%%' or w.worker like 'endpoint/%%' then 'parked'
      when w.started then 'running'
      else 'claimed'
    end as state
  from found w
), page as (
  select * from named n
  where n.state = any (%(states)s)
    and (n.due_at, n.run_id, n.kind, n.ref) >
        (coalesce(%(after_due)s::timestamptz, '-infinity'), coalesce(%(after_run)s::uuid, '00000000-0000-0000-0000-000000000000'),
         %(after_kind)s, %(after_ref)s)
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
