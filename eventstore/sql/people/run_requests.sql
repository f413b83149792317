-- people/run_requests: what waits for a person in one run, in order; walks hitl_requests_run.
select q.id, q.run_id::text, q.thread_id, q.node_id, q.kind, q.subject, q.status, q.payload, q.rules, q.votes,
       q.proposal, q.decision, q.operator, q.note, q.created_at, q.expires_at, q.resolved_at, r.status, r.plan_version, r.objective,
       r.updated_at, coalesce(r.envelope #>> '{metadata,briefId}', r.envelope #>> '{inputs,briefId}')
from hitl_requests q
join flex_runs r on r.run_id = q.run_id
where q.run_id = %(run_id)s and (q.status = 'open') is true
order by q.created_at, q.id
