-- capabilities/in_progress: how many nodes of a capability have begun and not ended, and when the last of them began.
select count(*) as running, max(n.started_at) as last_started_at
from flex_work w
join flex_plan_nodes n on n.run_id = w.run_id and n.node_id = w.ref
where w.kind = 'node' and w.started and w.queue = any (%(queues)s) and n.capability_id = %(capability_id)s
  and (%(tenant)s::text = '*'
       or exists (select from flex_runs r where r.run_id = n.run_id and r.tenant = %(tenant)s))
