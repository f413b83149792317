-- verify/kept_work: the rows of some runs in flex_work, without lease columns, which are not in the log.
select run_id, kind, ref, queue, attempt, started, due_at from flex_work where run_id = any (%(run_ids)s::uuid[])
