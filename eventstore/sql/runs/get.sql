-- runs/get: one run with what lists leave out.
select v.*, r.envelope, r.output, r.origin, r.apart
from flex_run_rows v
join flex_runs r on r.run_id = v.run_id
where v.run_id = %(run_id)s
