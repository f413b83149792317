-- log/read_many: for each run the events after its own cursor, at most so many of each.
select e.*
from unnest(%(run_ids)s::uuid[], %(after)s::int[]) as c (run_id, after)
cross join lateral (
  select * from flex_event_rows f where f.run_id = c.run_id and f.seq > c.after order by f.seq limit %(limit_each)s
) e
