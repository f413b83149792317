-- Runs whose payloads are kept under a key of their own, so that they can be erased without a change of the log: see
-- docs/proof.md. A run has a row here from its start on, or never.

create table flex_run_keys (
  run_id     uuid        not null,
  key        bytea,
  created_at timestamptz not null default clock_timestamp(),
  erased_at  timestamptz,
  erased_by  text,
  reason     text,
  constraint flex_run_keys_pkey primary key (run_id),
  constraint flex_run_keys_length check (length(key) = 32),
  constraint flex_run_keys_erased check ((key is null) = (erased_at is not null))
);

comment on table flex_run_keys is 'the key of each run that can be erased; of an erased one the tombstone';
comment on column flex_run_keys.key is 'AES-256; null: destroyed';

create function flex_refuse_key_change() returns trigger language plpgsql as $$
begin
  raise exception 'run %: its key can be destroyed, and not changed or brought back', old.run_id using errcode = 'FR004';
end
$$;

create trigger flex_run_keys_keep before update on flex_run_keys
  for each row when (old.key is null or new.key is not null or new.run_id <> old.run_id)
  execute function flex_refuse_key_change();

alter table flex_runs add column erased_at timestamptz;

comment on column flex_runs.erased_at is 'when its data was erased: the row has only what the log shows without the key';

create or replace view flex_run_rows as
 select r.run_id, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
        r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at, r.usage,
        r.imported_at, r.erased_at
 from flex_runs r;

-- A fork of an erased run is refused where it is stored: the run may have been erased after its data was read.
create function flex_refuse_erased_origins(origins jsonb) returns void language plpgsql as $$
declare
  origin record;
begin
  for origin in
    select k.run_id, k.erased_at
    from jsonb_to_recordset(origins) as o (run_id uuid)
    join flex_run_keys k on k.run_id = o.run_id
    order by k.run_id
    for key share of k
  loop
    if origin.erased_at is not null then
      raise exception 'run % was erased: nothing can be made from it', origin.run_id using errcode = 'FR007';
    end if;
  end loop;
end
$$;

create or replace function flex_append(batch jsonb) returns table(conflicting_run uuid, actual_seq integer) language plpgsql as $$
declare
  taken uuid[];
  begun uuid[];
  asked integer := coalesce(jsonb_array_length(batch -> 'advances'), 0)
                 + coalesce(jsonb_array_length(batch -> 'starts'), 0);
begin
  if jsonb_array_length(batch -> 'advances') > 1 then
    perform from jsonb_to_recordset(batch -> 'advances') as a (run_id uuid)
      join flex_runs r on r.run_id = a.run_id
      order by r.run_id
      for no key update of r;
  end if;
  if batch ? 'advances' then
    with advanced as (
      update flex_runs r
      set head_seq = a.head_seq, status = a.status, plan_version = a.plan_version, updated_at = a.updated_at,
          output = a.output, error = a.error, completed_at = a.completed_at,
          deadline_at = coalesce(a.deadline_at, r.deadline_at), usage = coalesce(a.usage, r.usage),
          apart = case when a.apart is null then r.apart else coalesce(r.apart, '{}') || a.apart end
      from jsonb_to_recordset(batch -> 'advances') as a (
        run_id uuid, expected integer, head_seq integer, status text, plan_version integer, updated_at timestamptz,
        output jsonb, error jsonb, completed_at timestamptz, deadline_at timestamptz, usage jsonb,
        apart jsonb)
      where r.run_id = a.run_id and r.head_seq = a.expected
      returning r.run_id)
    select array_agg(run_id) into taken from advanced;
  end if;
  if batch ? 'origins' then
    perform flex_refuse_erased_origins(batch -> 'origins');
  end if;
  if batch ? 'starts' then
    with started as (
      insert into flex_runs
      select * from jsonb_populate_recordset(null::flex_runs, batch -> 'starts') s order by s.run_id
      on conflict do nothing
      returning run_id)
    select array_agg(run_id) into begun from started;
    taken := taken || begun;
    if batch ? 'keys' then
      insert into flex_run_keys (run_id, key)
      select k.run_id, decode(k.key, 'hex')
      from jsonb_to_recordset(batch -> 'keys') as k (run_id uuid, key text)
      where k.run_id = any (begun);
    end if;
  end if;
  if taken is not null then
    if batch ? 'chained' then
      insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                               recorded_at, hash, apart)
      select e."runId", e.seq, e.type, e."nodeId", e.payload, e.detail, e.message, e."planVersion", e."correlationId",
             e.at, decode(e.hash, 'hex'), e.apart
      from jsonb_to_recordset(batch -> 'chained') as e (
        "runId" uuid, seq integer, type text, "nodeId" text, payload jsonb, detail jsonb, message text,
        "planVersion" integer, "correlationId" text, at timestamptz, hash text,
        apart jsonb)
      where e."runId" = any (taken);
    end if;
    if batch ? 'events' then
      insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                               recorded_at)
      select e.run_id, e.seq, e.type, e.node_id, e.payload, e.detail, e.message, e.plan_version, e.correlation_id,
             e.recorded_at
      from jsonb_to_recordset(batch -> 'events') as e (
        run_id uuid, seq integer, type text, node_id text, payload jsonb, detail jsonb, message text,
        plan_version integer, correlation_id text, recorded_at timestamptz)
      where e.run_id = any (taken);
    end if;
    perform flex_write_rows(batch, taken);
  end if;
  if coalesce(cardinality(taken), 0) < asked then
    return query
      select c.run_id, coalesce(r.head_seq, 0)
      from jsonb_to_recordset(
        coalesce(batch -> 'advances', '[]') || coalesce(batch -> 'starts', '[]')) as c (run_id uuid)
      left join flex_runs r on r.run_id = c.run_id
      where c.run_id <> all (coalesce(taken, '{}'));
  end if;
end
$$;

-- A run that was erased since it was exported is left: it is exported again, with its tombstone, before it goes.
drop function if exists flex_prune(uuid[], timestamptz, text);

create function flex_prune(of_runs uuid[], ended_before timestamptz, exported_to text,
                           exported_since timestamptz default null) returns setof uuid language plpgsql as $$
declare
  taken uuid[];
begin
  -- Nobody waits for a removal to be on the disk: after a crash some runs are back, and are removed again.
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(r.run_id) into taken
  from (select run_id from flex_runs
        where run_id = any (of_runs) and coalesce(completed_at, imported_at) < ended_before
          and (imported_at is null or imported_at < ended_before)
          and (exported_since is null or erased_at is null or erased_at < exported_since)
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
  delete from flex_run_keys where run_id = any (taken);
  delete from flex_events where run_id = any (taken);
  delete from flex_values where run_id = any (taken);
  delete from flex_imported_runs where run_id = any (taken);
  delete from flex_runs where run_id = any (taken);
  return query select unnest(taken);
end
$$;

-- What an operation was done for may be a person's words about the run. They go with its data; the rest stays.
create or replace function flex_refuse_operation_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.reason is null and old.action <> 'eraseRun'
     and to_jsonb(new) - 'reason' = to_jsonb(old) - 'reason'
     and exists (select from flex_run_keys k where k.run_id = old.run_id and k.erased_at is not null) then
    return new;
  end if;
  raise exception 'operation %: % is refused, the operations log keeps what it has', old.operation_id, lower(tg_op)
    using errcode = 'FR004';
end
$$;

-- Destroys the key of a finished run and empties the rows that hold its data; what came of it, in one word.
create function flex_erase(of_run uuid, by_whom text, why text) returns text language plpgsql as $$
declare
  ended timestamptz;
  erased timestamptz;
begin
  select r.completed_at into ended from flex_runs r where r.run_id = of_run for update;
  if not found then
    return 'unknown';
  end if;
  select k.erased_at into erased from flex_run_keys k where k.run_id = of_run for update;
  if not found then
    return 'no_key';
  elsif erased is not null then
    return 'before';
  elsif ended is null then
    return 'in_progress';
  end if;
  erased := clock_timestamp();
  update flex_run_keys set key = null, erased_at = erased, erased_by = by_whom, reason = why where run_id = of_run;
  update flex_runs
  set objective = '', thread_id = null, envelope = '{}', schema_hash = null, output = null, error = null,
      client_id = null, run_label = null, submitted_by = null, deadline_at = null, usage = null, apart = null,
      erased_at = erased,
      origin = case when origin ? 'runId' then jsonb_build_object('runId', origin -> 'runId', 'kind', origin -> 'kind') end
  where run_id = of_run;
  delete from flex_plan_nodes where run_id = of_run;
  delete from hitl_requests where run_id = of_run;
  delete from flex_links where run_id = of_run;
  delete from flex_work where run_id = of_run;
  delete from flex_partial_outputs where run_id = of_run;
  update flex_webhook_deliveries d set error = null from flex_webhooks h
  where d.hook_id = h.id and d.run_id = of_run and d.error is not null;
  update flex_operations set reason = null
  where run_id = of_run and reason is not null and action <> 'eraseRun';
  delete from flex_messages where position(convert_to(of_run::text, 'UTF8') in body) > 0;
  delete from flex_dead_letters where position(convert_to(of_run::text, 'UTF8') in body) > 0;
  perform pg_notify('flexrun_erased', ';' || of_run);
  return 'erased';
end
$$;
