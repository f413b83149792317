-- restore/lock_run: keep appends to a run waiting until this transaction ends.
select from flex_runs where run_id = %(run_id)s for update
