-- people/get_request: one request, whether open or not.
select q.id, q.run_id::text, q.thread_id, q.node_id, q.kind, q.subject, q.status, q.payload, q.rules, q.votes,
       q.proposal, q.decision, q.operator, q.note, q.created_at, q.expires_at, q.resolved_at, r.status, r.plan_version, r.objective,
       r.updated_at, coalesce(r.envelope #>> '{metadata,briefId}', r.envelope #>> '{inputs,briefId}')
from hitl_requests q
join flex_runs r on r.run_id = q.run_id
where q.id = %(request_id)s
