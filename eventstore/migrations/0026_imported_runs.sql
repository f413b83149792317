-- Runs that were imported from an exported file (docs/proof.md): their events are stored as they were written, and nothing
-- may follow them here (FR006). `flex_imported_runs` says which they are, also when the read models are made anew;
-- `imported_at` of `flex_runs` repeats it where rows of runs are read.

create table flex_imported_runs (
  run_id uuid primary key,
  imported_at timestamptz not null,
  imported_by text not null,
  installation text,
  flexrun text not null,
  exported_at timestamptz not null,
  events integer not null,
  head_hash bytea
);

comment on column flex_imported_runs.installation is 'where it was exported, as the file says; null: the file does not say it';
comment on column flex_imported_runs.flexrun is 'the version that exported it, as the file says';
comment on column flex_imported_runs.head_hash is 'the hash of its last event; null: of a version that had none';

alter table flex_runs add column imported_at timestamptz;
comment on column flex_runs.imported_at is 'when it was imported; null: it was made here';
create index flex_runs_imported on flex_runs (created_at, run_id) where imported_at is not null;

create or replace view flex_run_rows as
select r.run_id, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
       r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at, r.usage,
       r.imported_at
from flex_runs r;

-- Nobody can do the tasks of an imported run.
create or replace view flex_task_rows as
select n.run_id, n.node_id, n.capability_id, n.label, n.attempt, n.context, n.started_at, r.thread_id, r.plan_version,
       r.objective, r.client_id, r.status as run_status, w.due_at as expires_at
from flex_runs r
join flex_plan_nodes n on n.run_id = r.run_id and n.executor_type = 'human'
left join flex_work w on w.run_id = n.run_id and w.kind = 'task_expiry' and w.ref = n.node_id
where n.status = 'awaiting_human' and r.imported_at is null;

create or replace function flex_check_order() returns trigger language plpgsql as $$
declare
  wrong record;
begin
  select n.run_id, n.seq, n.type, i.run_id is not null as imported into wrong
  from new_events n
  left join flex_events before on before.run_id = n.run_id and before.seq = n.seq - 1
  left join flex_imported_runs i on i.run_id = n.run_id
  where i.run_id is not null or case
    when n.seq = 1 or n.type = 'start' then n.seq <> 1 or n.type <> 'start'
    else before.run_id is null or before.type = 'complete' or (before.hash is not null and n.hash is null)
  end
  order by n.run_id, n.seq
  limit 1;
  if not found then
    return null;
  end if;
  if wrong.imported then
    raise exception 'run % was imported and is read-only: event % (%) cannot follow', wrong.run_id, wrong.seq, wrong.type
      using errcode = 'FR006';
  end if;
  if wrong.seq = 1 or wrong.type = 'start' then
    raise exception 'run %: event 1 is start and only event 1; event % is %', wrong.run_id, wrong.seq, wrong.type
      using errcode = 'FR003';
  end if;
  if exists (select from flex_events e
             where e.run_id = wrong.run_id and e.type = 'complete' and e.seq < wrong.seq) then
    raise exception 'run % is complete: event % (%) cannot follow', wrong.run_id, wrong.seq, wrong.type
      using errcode = 'FR001';
  end if;
  if exists (select from flex_events e
             where e.run_id = wrong.run_id and e.seq = wrong.seq - 1 and e.hash is not null) then
    raise exception 'run %: event % has no hash and event % has one; a version of flexrun that hashes events has taken'
      ' this run over, so update this process', wrong.run_id, wrong.seq, wrong.seq - 1
      using errcode = 'FR005';
  end if;
  raise exception 'run %: there is no event % before event %', wrong.run_id, wrong.seq - 1, wrong.seq
    using errcode = 'FR002';
end
$$;

-- The age of an imported run counts from its import, so that a schedule does not remove at once what was just brought
-- back. One that was exported in progress has no end; its time is that of the import.
create or replace function flex_prune(of_runs uuid[], ended_before timestamptz, exported_to text) returns setof uuid
language plpgsql as $$
declare
  taken uuid[];
begin
  select array_agg(r.run_id) into taken
  from (select run_id from flex_runs
        where run_id = any (of_runs) and coalesce(completed_at, imported_at) < ended_before
          and (imported_at is null or imported_at < ended_before)
        order by run_id for update skip locked) r;
  insert into flex_pruned_runs (run_id, status, events, created_at, completed_at, exported_to, head_hash)
  select r.run_id, r.status, r.head_seq, r.created_at, coalesce(r.completed_at, r.imported_at), flex_prune.exported_to,
         e.hash
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
  delete from flex_imported_runs where run_id = any (taken);
  delete from flex_runs where run_id = any (taken);
  return query select unnest(taken);
end
$$;
