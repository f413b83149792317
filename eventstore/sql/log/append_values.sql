-- log/append_values: store a batch together with its large values; the answer is that of log/append.
select conflicting_run, actual_seq
from flex_append_values(%(batch)s::text::jsonb, %(run_ids)s::uuid[], %(hashes)b::bytea[], %(values)b::bytea[])
