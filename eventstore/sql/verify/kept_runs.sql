-- verify/kept_runs: the rows of a range of runs in flex_runs.
select * from flex_runs where run_id > %(after)s::uuid and run_id <= %(until)s::uuid
