-- Finished runs can be removed: whole runs only, each with a row here that says so. What the log has of other runs
-- still only grows.
create table flex_pruned_runs (
  run_id uuid primary key,
  status text not null,
  events integer not null,
  created_at timestamptz not null,
  completed_at timestamptz not null,
  exported_to text,
  pruned_at timestamptz not null default clock_timestamp()
);
comment on table flex_pruned_runs is 'runs that were removed after their time, so that who asks for one is told so';
comment on column flex_pruned_runs.events is 'how many events its log had';

create index flex_runs_completed on flex_runs (completed_at, run_id) where completed_at is not null;

drop trigger flex_events_refuse_change on flex_events;

create trigger flex_events_refuse_change before update or truncate on flex_events
for each statement execute function flex_refuse_change();

create function flex_refuse_partial_removal() returns trigger language plpgsql as $$
begin
  if exists (
    select from (select distinct run_id from gone) g
    where not exists (select from flex_pruned_runs p where p.run_id = g.run_id)
       or exists (select from flex_events e where e.run_id = g.run_id))
  then
    raise exception 'the log only grows: delete on flex_events is refused' using errcode = 'FR004';
  end if;
  return null;
end
$$;

create trigger flex_events_refuse_removal after delete on flex_events referencing old table as gone
for each statement execute function flex_refuse_partial_removal();

-- Removes those of these runs that ended before `ended_before` and that nobody is changing at this moment; which.
create function flex_prune(of_runs uuid[], ended_before timestamptz, exported_to text) returns setof uuid
language plpgsql as $$
declare
  taken uuid[];
begin
  select array_agg(r.run_id) into taken
  from (select run_id from flex_runs
        where run_id = any (of_runs) and completed_at < ended_before
        order by run_id for update skip locked) r;
  insert into flex_pruned_runs (run_id, status, events, created_at, completed_at, exported_to)
  select r.run_id, r.status, r.head_seq, r.created_at, r.completed_at, flex_prune.exported_to
  from flex_runs r where r.run_id = any (taken)
  on conflict (run_id) do update
  set status = excluded.status, events = excluded.events, created_at = excluded.created_at,
      completed_at = excluded.completed_at, exported_to = excluded.exported_to, pruned_at = clock_timestamp();
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
