-- retention/prune: remove these runs with all that belongs to them; which were removed.
select flex_prune(%(run_ids)s::uuid[], %(ended_before)s, %(exported_to)s) as run_id
