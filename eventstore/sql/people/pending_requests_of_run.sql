-- people/pending_requests_of_run: the open requests of one run, oldest first; walks hitl_requests_run. `is true` keeps the
-- planner from walking all open requests instead, which looks cheap while the table has not been analysed.
select q.id, q.run_id::text, q.thread_id, q.node_id, q.kind, q.subject, q.status, q.payload, q.rules, q.votes,
       q.proposal, q.decision, q.operator, q.note, q.created_at, q.expires_at, q.resolved_at, r.status, r.plan_version, r.objective,
       r.updated_at, coalesce(r.envelope #>> '{metadata,briefId}', r.envelope #>> '{inputs,briefId}')
from hitl_requests q
join flex_runs r on r.run_id = q.run_id
where q.run_id = %(run_id)s and (q.status = 'open') is true
  and (%(client_id)s::text is null or r.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(q.rules -> 'approvers', '[]') = '[]'
       or q.rules -> 'approvers' ?| %(names)s::text[])
order by q.created_at, q.id
