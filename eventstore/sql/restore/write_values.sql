-- restore/write_values: make large values of a run those of a file.
insert into flex_values as stored (run_id, hash, value)
select v.run_id, v.hash, v.value
from unnest(%(run_ids)s::uuid[], %(hashes)b::bytea[], %(values)b::bytea[]) as v (run_id, hash, value)
on conflict (run_id, hash) do update set value = excluded.value where stored.value <> excluded.value
