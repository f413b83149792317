-- imports/there: what there is of a run that is to be imported: how many events, whether it was imported, and, of one
-- that was removed, how many it had and the hash of the last. One row.
select r.head_seq, r.status, r.imported_at, p.events as pruned_events, encode(p.head_hash, 'hex') as pruned_hash
from (select %(run_id)s::uuid as run_id) asked
left join flex_runs r using (run_id)
left join flex_pruned_runs p using (run_id)
