-- erasure/run: a run as far as its erasure is concerned; no row where there is no such run.
select r.run_id, r.status, r.head_seq as events, r.completed_at, k.run_id is not null as keyed,
       k.erased_at, k.erased_by, k.reason
from flex_runs r
left join flex_run_keys k on k.run_id = r.run_id
where r.run_id = %(run_id)s
