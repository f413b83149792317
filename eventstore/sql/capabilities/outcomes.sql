-- capabilities/outcomes: the nodes of a capability that ended last, newest first.
select n.run_id::text as run_id, n.node_id, n.capability_version as version, n.status, n.attempt, n.error, n.started_at,
       n.finished_at
from flex_plan_nodes n
where n.capability_id = %(capability_id)s and n.finished_at is not null
  and (%(tenant)s::text = '*'
       or exists (select from flex_runs r where r.run_id = n.run_id and r.tenant = %(tenant)s))
order by n.finished_at desc
limit %(limit)s
