-- verify/heads: how many events the rows of a range of runs say that there are, in the order of the runs.
select run_id, head_seq
from flex_runs
where run_id > %(after)s::uuid and run_id <= %(until)s::uuid
order by run_id
limit %(limit)s
