-- verify/kept_requests: the rows of a range of runs in hitl_requests.
select * from hitl_requests where run_id > %(after)s::uuid and run_id <= %(until)s::uuid
