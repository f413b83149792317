-- log/append: store a batch; the answer is the runs that were not at the expected version.
select conflicting_run, actual_seq from flex_append(%(batch)s::text::jsonb)
