-- imports/key: the key of an imported run whose events are sealed, or its tombstone.
insert into flex_run_keys (run_id, key, erased_at, erased_by, reason)
values (%(run_id)s, %(key)s, %(erased_at)s, %(erased_by)s, %(reason)s)
