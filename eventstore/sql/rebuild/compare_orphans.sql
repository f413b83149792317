-- rebuild/compare_orphans: rows of runs that are not in the log.
select t.relation as table, t.run_id, t.key, t.facts as kept, null::jsonb as rebuilt
from (
  select 'flex_runs' as relation, r.run_id, '' as key, to_jsonb(r) as facts from flex_runs r
  union all select 'flex_plan_nodes', n.run_id, n.node_id, to_jsonb(n) from flex_plan_nodes n
  union all select 'hitl_requests', q.run_id, q.id, to_jsonb(q) from hitl_requests q
  union all select 'flex_work', w.run_id, w.kind || ' ' || w.ref, to_jsonb(w) from flex_work w
) t
where not exists (select from flex_events e where e.run_id = t.run_id and e.seq = 1)
order by t.relation, t.run_id, t.key
