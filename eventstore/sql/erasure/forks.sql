-- erasure/forks: the runs that were made from a run, and from those, up to so many; `keyed`: whether it can be erased.
with recursive made as (
  select r.run_id, r.status, r.erased_at, r.created_at from flex_runs r where r.origin ->> 'runId' = %(run_id)s
  union
  select r.run_id, r.status, r.erased_at, r.created_at
  from made m join flex_runs r on r.origin ->> 'runId' = m.run_id::text
)
select m.run_id, m.status, m.erased_at, exists (select from flex_run_keys k where k.run_id = m.run_id) as keyed
from made m
order by m.created_at, m.run_id
limit %(limit)s
