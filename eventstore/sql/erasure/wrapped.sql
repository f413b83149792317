-- erasure/wrapped: keys of runs that are wrapped, in the order of their runs.
select run_id, key from flex_run_keys
where run_id > %(after)s::uuid and length(key) > 32
order by run_id
limit %(limit)s
