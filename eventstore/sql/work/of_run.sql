-- work/of_run: all that is left to do in a run, what is due first in front: plan, nodes, output and timers, each with its
-- lease.
select *
from flex_work
where run_id = %(run_id)s
order by due_at, kind, ref
limit %(limit)s
