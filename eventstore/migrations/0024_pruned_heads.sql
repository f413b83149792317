-- A removed run keeps the hash of its last event: a checkpoint that has the run agrees with that, and an export of it can
-- be checked against it.

alter table flex_pruned_runs add column head_hash bytea;

comment on column flex_pruned_runs.head_hash is 'the hash of its last event; null: of a version that had none';

create or replace function flex_prune(of_runs uuid[], ended_before timestamptz, exported_to text) returns setof uuid
language plpgsql as $$
declare
  taken uuid[];
begin
  select array_agg(r.run_id) into taken
  from (select run_id from flex_runs
        where run_id = any (of_runs) and completed_at < ended_before
        order by run_id for update skip locked) r;
  insert into flex_pruned_runs (run_id, status, events, created_at, completed_at, exported_to, head_hash)
  select r.run_id, r.status, r.head_seq, r.created_at, r.completed_at, flex_prune.exported_to, e.hash
  from flex_runs r left join flex_events e on e.run_id = r.run_id and e.seq = r.head_seq
  where r.run_id = any (taken)
  on conflict (run_id) do update
  set status = excluded.status, events = excluded.events, created_at = excluded.created_at,
      completed_at = excluded.completed_at, exported_to = excluded.exported_to, head_hash = excluded.head_hash,
      pruned_at = clock_timestamp();
  delete from flex_webhook_deliveries d using flex_webhooks h where d.hook_id = h.id and d.run_id = any (taken);
  delete from flex_webhook_lanes l using flex_webhooks h where l.hook_id = h.id and l.run_id = any (taken);
  delete from flex_links where run_id = any (taken);
  delete from hitl_requests where run_id = any (taken);
  delete from flex_work where run_id = any (taken);
  delete from flex_plan_nodes where run_id = any (taken);
  delete from flex_events where run_id = any (taken);
  delete from flex_runs where run_id = any (taken);
  return query select unnest(taken);
end
$$;
