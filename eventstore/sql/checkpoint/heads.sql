-- checkpoint/heads: the last event of each of the next runs, with its hash, in the order of the runs' ids.
select r.run_id, e.seq, encode(e.hash, 'hex') as head_hash
from (select run_id from flex_runs where run_id > %(after)s::uuid order by run_id limit %(limit)s) r
cross join lateral (
  select e.seq, e.hash from flex_events e where e.run_id = r.run_id order by e.seq desc limit 1
) e
order by r.run_id
