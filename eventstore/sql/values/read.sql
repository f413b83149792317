-- values/read: large values of runs, by their hashes (hex). Those that are not there are not in the answer.
select v.run_id::text as run_id, w.hash, v.value
from unnest(%(run_ids)s::uuid[], %(hashes)s::text[]) as w (run_id, hash)
join flex_values v on v.run_id = w.run_id and v.hash = decode(w.hash, 'hex')
