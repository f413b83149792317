-- retention/pruned: that a run was removed; no row where it was not.
select p.run_id, p.status, p.events, p.completed_at, p.exported_to, p.pruned_at,
       encode(p.head_hash, 'hex') as head_hash
from flex_pruned_runs p
where p.run_id = %(run_id)s and (%(tenant)s::text = '*' or p.tenant = %(tenant)s)
