-- rebuild/compare_rows: rows of some runs that differ from the log; without lease columns, which are not in it, nor the
-- tenant of work, which is that of the run, and with large values in their places.
with rebuilt as (
  select 'flex_runs' as relation, r.run_id, '' as key, to_jsonb(r) - 'apart' as facts
  from jsonb_populate_recordset(null::flex_runs, %(batch)s::text::jsonb -> 'starts') r
  union all
  select 'flex_plan_nodes', n.run_id, n.node_id, to_jsonb(n) - 'apart'
  from jsonb_populate_recordset(null::flex_plan_nodes, %(batch)s::text::jsonb -> 'planned') n
  union all
  select 'hitl_requests', q.run_id, q.id, to_jsonb(q) - 'apart'
  from jsonb_populate_recordset(null::hitl_requests, %(batch)s::text::jsonb -> 'requests') q
  union all
  -- Work that is due at once may have been put down as due a little earlier than its event says, see 0009.
  select 'flex_work', w.run_id, w.kind || ' ' || w.ref,
         to_jsonb(w) - '{worker,lease_until,hinted_at,failures,losses,lost_as,tenant}'::text[]
         || jsonb_build_object('due_at', case when (facts ->> 'at_once')::boolean then least(w.due_at, k.due_at)
                                              else w.due_at end)
  from jsonb_array_elements(%(batch)s::text::jsonb -> 'work') facts
  cross join lateral jsonb_populate_record(null::flex_work, facts) w
  left join flex_work k on k.run_id = w.run_id and k.kind = w.kind and k.ref = w.ref
), kept as (
  select 'flex_runs' as relation, r.run_id, '' as key, flex_whole(to_jsonb(r)) as facts
  from flex_runs r where r.run_id = any (%(run_ids)s::uuid[])
  union all
  select 'flex_plan_nodes', n.run_id, n.node_id, flex_whole(to_jsonb(n))
  from flex_plan_nodes n where n.run_id = any (%(run_ids)s::uuid[])
  union all
  select 'hitl_requests', q.run_id, q.id, flex_whole(to_jsonb(q))
  from hitl_requests q where q.run_id = any (%(run_ids)s::uuid[])
  union all
  select 'flex_work', w.run_id, w.kind || ' ' || w.ref,
         to_jsonb(w) - '{worker,lease_until,hinted_at,failures,losses,lost_as,tenant}'::text[]
  from flex_work w where w.run_id = any (%(run_ids)s::uuid[])
)
select relation as table, run_id, key, k.facts as kept, b.facts as rebuilt
from kept k
full join rebuilt b using (relation, run_id, key)
where k.facts is distinct from b.facts
order by relation, run_id, key
