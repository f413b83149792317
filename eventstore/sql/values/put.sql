-- values/put: store large values that are not there yet.
insert into flex_values (run_id, hash, value)
select v.run_id, v.hash, v.value
from unnest(%(run_ids)s::uuid[], %(hashes)b::bytea[], %(values)b::bytea[]) as v (run_id, hash, value)
on conflict do nothing
