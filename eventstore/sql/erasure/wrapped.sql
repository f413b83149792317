-- erasure/wrapped: keys of runs that are wrapped, with the tenants of their runs and in the order of these.
select k.run_id, k.key, r.tenant
from flex_run_keys k join flex_runs r on r.run_id = k.run_id
where k.run_id > %(after)s::uuid and length(k.key) > 32
order by k.run_id
limit %(limit)s
