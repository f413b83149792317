-- runs/list: newest first, from a cursor on. Walks the one index that `walk` names, over `window` runs at most, and keeps
-- those of the tenant that all filters match. `is true` keeps the planner from the index of tenants where another is
-- walked. The last run of a full window comes as well, not `kept`: the next page begins after it.
select *
from (
  select w.*, row_number() over (order by w.created_at desc, w.run_id desc) as nth,
    ((%(statuses)s::text[] is null or w.status = any (%(statuses)s))
     and (%(thread_id)s::text is null or w.thread_id = %(thread_id)s)
     and (%(client_id)s::text is null or w.client_id = %(client_id)s)
     and (%(run_label)s::text is null or w.run_label = %(run_label)s)
     and (%(submitted_by)s::text is null or w.submitted_by = %(submitted_by)s)
     and (%(error_code)s::text is null or w.error ->> 'code' = %(error_code)s)
     and (%(objective)s::text is null or position(lower(%(objective)s) in lower(w.objective)) > 0)
     and (%(capability_id)s::text is null or exists (
       select from flex_plan_nodes n where n.run_id = w.run_id and n.capability_id = %(capability_id)s))
     and (%(imported)s::boolean is null or (w.imported_at is not null) = %(imported)s::boolean)
     and (%(waiting_for)s::text is null or w.imported_at is null)
     and case %(waiting_for)s::text
       when 'paused' then w.status = 'paused'
       when 'person' then exists (
         select from hitl_requests q where q.run_id = w.run_id and q.status = 'open')
       when 'task' then exists (
         select from flex_plan_nodes n
         where n.run_id = w.run_id and n.executor_type = 'human' and n.status = 'awaiting_human')
       when 'timer' then exists (
         select from flex_work k
         where k.run_id = w.run_id and not k.started and k.worker is null and k.queue <> 'timer' and k.due_at > now())
       when 'worker' then exists (
         select from flex_work k
         where k.run_id = w.run_id and not k.started and k.worker is null and k.queue <> 'timer' and k.due_at <= now())
       when 'lease' then exists (
         select from flex_work k
         where k.run_id = w.run_id and (k.started or k.worker is not null)
           and coalesce(k.worker, '') not similar to '(limit|endpoint|callback)/%%')
       else %(waiting_for)s::text is null or exists (
         select from flex_work k where k.run_id = w.run_id and k.worker like %(waiting_for)s || '/%%')
     end) is true as kept
  from (
   (select r.* from flex_run_rows r
    where %(walk)s = 'created'
      and r.tenant = %(tenant)s
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_run_rows r
    where %(walk)s = 'status'
      and r.tenant = %(tenant)s
      and r.status = (%(statuses)s::text[])[1]
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_run_rows r
    where %(walk)s = 'thread'
      and (r.tenant = %(tenant)s) is true
      and r.thread_id = %(thread_id)s
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_run_rows r
    where %(walk)s = 'client'
      and (r.tenant = %(tenant)s) is true
      and r.client_id = %(client_id)s
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_run_rows r
    where %(walk)s = 'label'
      and (r.tenant = %(tenant)s) is true
      and r.run_label = %(run_label)s
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_run_rows r
    where %(walk)s = 'submitter'
      and (r.tenant = %(tenant)s) is true
      and r.submitted_by = %(submitted_by)s
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_failed_runs(
      case when %(walk)s = 'error' then %(error_code)s end, %(tenant)s,
      coalesce(%(created_after)s, '-infinity'::timestamptz), coalesce(%(created_before)s, 'infinity'::timestamptz),
      %(run_before)s::uuid, %(window)s) f
    join flex_run_rows r on r.run_id = f
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.* from flex_run_rows r
    where %(walk)s = 'imported'
      and (r.tenant = %(tenant)s) is true
      and r.imported_at is not null
      and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
      and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.*
    from unnest(%(statuses)s::text[]) as s (status)
    cross join lateral (
      select * from flex_run_rows r
      where %(walk)s = 'statuses'
        and r.tenant = %(tenant)s
        and r.status = s.status
        and r.created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
        and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
      order by r.created_at desc, r.run_id desc
      limit %(window)s
    ) r
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
    union all
   (select r.*
    from (
      select distinct n.run_created_at, n.run_id
      from flex_plan_nodes n
      join flex_runs o on o.run_id = n.run_id and (o.tenant = %(tenant)s) is true
      where %(walk)s = 'capability'
        and n.capability_id = %(capability_id)s
        and n.run_created_at >= coalesce(%(created_after)s, '-infinity'::timestamptz)
        and (n.run_created_at, n.run_id)
            < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
      order by n.run_created_at desc, n.run_id desc
      limit %(window)s
    ) c
    join flex_run_rows r on r.run_id = c.run_id
    order by r.created_at desc, r.run_id desc
    limit %(window)s)
  ) w
) r
where r.kept or r.nth = %(window)s
order by r.created_at desc, r.run_id desc
limit %(limit)s
