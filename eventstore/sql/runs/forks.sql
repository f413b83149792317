-- runs/forks: the runs that were forked from one, retries among them, oldest first; walks flex_runs_forks.
select r.run_id, r.status, r.origin, r.created_at
from flex_runs r
where r.run_id in (select flex_forks_of(%(run_id)s, %(limit)s))
  and (%(tenant)s::text = '*' or r.tenant = %(tenant)s)
order by r.created_at, r.run_id
limit %(limit)s
