-- verify/kept_work: the rows of a range of runs in flex_work, without lease columns, which are not in the log.
select run_id, kind, ref, queue, attempt, started, due_at
from flex_work
where run_id > %(after)s::uuid and run_id <= %(until)s::uuid
