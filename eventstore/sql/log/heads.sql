-- log/heads: the last seq of each of these runs; a run that does not exist is not in the answer.
select run_id, head_seq from flex_runs where run_id = any (%(run_ids)s::uuid[])
