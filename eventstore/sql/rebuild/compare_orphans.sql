-- rebuild/compare_orphans: rows of a range of runs that are not in the log.
select 'flex_runs' as table, r.run_id, '' as key, to_jsonb(r) as kept, null::jsonb as rebuilt
from flex_runs r
where r.run_id > %(after)s::uuid and r.run_id <= %(until)s::uuid
  and not exists (select from flex_events e where e.run_id = r.run_id and e.seq = 1)
union all
select 'flex_plan_nodes', n.run_id, n.node_id, to_jsonb(n), null
from flex_plan_nodes n
where n.run_id > %(after)s::uuid and n.run_id <= %(until)s::uuid
  and not exists (select from flex_events e where e.run_id = n.run_id and e.seq = 1)
union all
select 'hitl_requests', q.run_id, q.id, to_jsonb(q), null
from hitl_requests q
where q.run_id > %(after)s::uuid and q.run_id <= %(until)s::uuid
  and not exists (select from flex_events e where e.run_id = q.run_id and e.seq = 1)
union all
select 'flex_work', w.run_id, w.kind || ' ' || w.ref, to_jsonb(w), null
from flex_work w
where w.run_id > %(after)s::uuid and w.run_id <= %(until)s::uuid
  and not exists (select from flex_events e where e.run_id = w.run_id and e.seq = 1)
order by 1, 2, 3
