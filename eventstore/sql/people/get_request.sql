-- people/get_request: one request, open or not.
select * from hitl_request_rows q where q.request_id = %(request_id)s and (%(tenant)s::text = '*' or q.tenant = %(tenant)s)
