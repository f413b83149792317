-- erasure/forks: the runs that were made from a run, and from those, up to so many; `keyed`: whether it can be erased.
with recursive made as (
  select r.run_id, r.status, r.erased_at, r.created_at 
  from flex_forks_of(%(run_id)s::text, %(limit)s) f join flex_runs r on r.run_id = f
  union
  select r.run_id, r.status, r.erased_at, r.created_at
  from made m cross join lateral flex_forks_of(m.run_id::text, %(limit)s) f join flex_runs r on r.run_id = f
)
select m.run_id, m.status, m.erased_at, exists (select from flex_run_keys k where k.run_id = m.run_id) as keyed
from made m
order by m.created_at, m.run_id
limit %(limit)s
