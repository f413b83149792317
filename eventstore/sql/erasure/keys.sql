-- erasure/keys: the keys of some runs, or by whom, when and why they were destroyed.
select run_id, key, erased_at, erased_by, reason from flex_run_keys where run_id = any (%(run_ids)s::uuid[])
