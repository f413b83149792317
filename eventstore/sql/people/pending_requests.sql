-- people/pending_requests: what waits for a person, oldest first, from a cursor on; walks hitl_requests_open.
select *
from hitl_request_rows q
where q.status = 'open'
  and (q.created_at, q.request_id) > (coalesce(%(created_after)s, '-infinity'::timestamptz), %(request_after)s)
  and (%(tenant)s::text = '*' or q.tenant = %(tenant)s)
  and (%(client_id)s::text is null or q.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(q.rules -> 'approvers', '[]') = '[]'
       or q.rules -> 'approvers' ?| %(names)s::text[])
order by q.created_at, q.request_id
limit %(limit)s
