-- erasure/erase: destroy the key of a run and empty the rows with its data; what came of it, in one word.
select flex_erase(%(run_id)s::uuid, %(by)s, %(reason)s)
