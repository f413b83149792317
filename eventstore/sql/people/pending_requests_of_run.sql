-- people/pending_requests_of_run: the open requests of one run, oldest first; walks hitl_requests_run. `is true`
-- keeps the planner from walking all open requests instead, which looks cheap while the table has not been analysed.
select *
from hitl_request_rows q
where q.run_id = %(run_id)s and (q.status = 'open') is true
  and (%(tenant)s::text = '*' or q.tenant = %(tenant)s)
  and (%(client_id)s::text is null or q.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(q.rules -> 'approvers', '[]') = '[]'
       or q.rules -> 'approvers' ?| %(names)s::text[])
order by q.created_at, q.request_id
