-- sizes/run: bytes that a run takes in the log and in the read models, as stored (compressed), without indexes.
select (select coalesce(sum(pg_column_size(e.*)), 0) from flex_events e where e.run_id = %(run_id)s)
     + (select coalesce(sum(pg_column_size(v.*)), 0) from flex_values v where v.run_id = %(run_id)s)
     + (select coalesce(sum(pg_column_size(n.*)), 0) from flex_plan_nodes n where n.run_id = %(run_id)s)
     + (select coalesce(sum(pg_column_size(q.*)), 0) from hitl_requests q where q.run_id = %(run_id)s)
     + (select coalesce(pg_column_size(r.*), 0) from flex_runs r where r.run_id = %(run_id)s) as bytes
