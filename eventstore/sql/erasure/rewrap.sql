-- erasure/rewrap: keys that are wrapped anew; one that was destroyed or wrapped by somebody else meanwhile stays.
update flex_run_keys k
set key = m.key
from unnest(%(run_ids)s::uuid[], %(before)s::bytea[], %(keys)s::bytea[]) as m (run_id, before, key)
where k.run_id = m.run_id and k.key = m.before
