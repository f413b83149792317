-- retention/prune: remove these runs with all that belongs to them; which were removed. One that was
-- erased after `exported_since` is left.
select flex_prune(%(run_ids)s::uuid[], %(ended_before)s, %(exported_to)s, %(exported_since)s) as run_id
