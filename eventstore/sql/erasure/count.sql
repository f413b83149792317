-- erasure/count: how many runs are erased.
select count(*) from flex_run_keys where erased_at is not null
