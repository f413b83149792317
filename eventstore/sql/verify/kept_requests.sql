-- verify/kept_requests: the rows of some runs in hitl_requests.
select * from hitl_requests where run_id = any (%(run_ids)s::uuid[])
