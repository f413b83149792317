-- verify/kept_runs: the rows of some runs in flex_runs.
select * from flex_runs where run_id = any (%(run_ids)s::uuid[])
