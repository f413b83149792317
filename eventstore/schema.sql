-- The schema after all migrations, as pg_dump writes it: `make schema`. Tables, columns and functions are explained in
-- the migrations that made them.

SET check_function_bodies = false;

CREATE FUNCTION flex_admit(of_capability text, of_run uuid, of_node text, of_attempt integer, of_holder text, most_at_once integer, most_per_minute integer, claim_seconds double precision, park_seconds double precision, OUT admitted boolean, OUT in_use integer, OUT started_lately integer, OUT wait_seconds double precision) RETURNS record
    LANGUAGE plpgsql
    AS $$
declare
  parked integer;
  oldest timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('flexrun starts ' || of_capability, 0));
  delete from flex_capability_starts s
  where s.capability_id = of_capability
    and (most_per_minute is null or s.started_at < clock_timestamp() - interval '60 s')
    and not exists (
      select from flex_work w
      where w.run_id = s.run_id and w.kind = 'node' and w.ref = s.node_id and w.attempt = s.attempt
        and (w.started or s.started_at > clock_timestamp() - make_interval(secs => claim_seconds)));
  select count(*) filter (where exists (
           select from flex_work w
           where w.run_id = s.run_id and w.kind = 'node' and w.ref = s.node_id and w.attempt = s.attempt
             and (w.started or s.started_at > clock_timestamp() - make_interval(secs => claim_seconds)))),
         count(*) filter (where s.started_at > clock_timestamp() - interval '60 s'),
         min(s.started_at) filter (where s.started_at > clock_timestamp() - interval '60 s')
  into in_use, started_lately, oldest
  from flex_capability_starts s
  where s.capability_id = of_capability
    and (s.run_id, s.node_id, s.attempt) is distinct from (of_run, of_node, of_attempt);
  wait_seconds := 0;
  if in_use >= most_at_once then
    wait_seconds := park_seconds * (0.75 + random() * 0.5);
  elsif started_lately >= most_per_minute then
    select count(*) into parked from flex_work w where w.worker = 'limit/' || of_capability;
    wait_seconds := extract(epoch from oldest + interval '60 s' - clock_timestamp())
      + least(60, 60.0 * parked / most_per_minute);
  end if;
  admitted := wait_seconds <= 0;
  if admitted then
    insert into flex_capability_starts as s (capability_id, run_id, node_id, attempt, holder)
    values (of_capability, of_run, of_node, of_attempt, of_holder)
    on conflict (capability_id, run_id, node_id, attempt) do update
    set holder = excluded.holder, started_at = clock_timestamp();
  else
    delete from flex_capability_starts s
    where s.capability_id = of_capability and s.run_id = of_run and s.node_id = of_node and s.attempt = of_attempt;
    update flex_work w
    set worker = 'limit/' || of_capability,
        lease_until = clock_timestamp() + make_interval(secs => wait_seconds)
    where w.run_id = of_run and w.kind = 'node' and w.ref = of_node and w.attempt = of_attempt and not w.started;
  end if;
end
$$;

CREATE FUNCTION flex_admit_start(of_tenant text, of_actor text, of_submitter text, of_run uuid, size_bytes bigint, levels text[], names text[], mosts bigint[], seconds double precision[], claim_seconds double precision) RETURNS TABLE(on_level text, on_name text, refused boolean, remaining bigint, wait_seconds double precision)
    LANGUAGE plpgsql
    AS $$
declare
  started timestamptz;
  each record;
  ahead double precision;
  cost double precision;
  taken bigint;
  any_refused boolean := false;
  moved text[] := '{}';
  moved_actors text[] := '{}';
  moved_to timestamptz[] := '{}';
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_advisory_xact_lock(hashtextextended('flexrun limits ' || of_tenant, 0));
  if exists (select from flex_runs r where r.run_id = of_run) then
    return;
  end if;
  started := clock_timestamp();
  delete from flex_start_claims c
  where c.tenant = of_tenant
    and (c.run_id = of_run or c.claimed_at < started - make_interval(secs => claim_seconds) or c.claimed_at > started
         or exists (select from flex_runs r where r.run_id = c.run_id));
  for each in
    select l.level, l.name, l.most, l.within,
           case l.level when 'actor' then of_actor else '' end as actor,
           case l.level when 'actor' then of_submitter end as submitter
    from unnest(levels, names, mosts, seconds) as l (level, name, most, within)
  loop
    on_level := each.level;
    on_name := each.name;
    if each.within is not null then
      cost := case each.name when 'bytesPerDay' then size_bytes else 1 end * each.within / greatest(each.most, 1);
      select extract(epoch from r.full_at - started) into ahead
      from flex_rates r where r.tenant = of_tenant and r.actor = each.actor and r.name = each.name;
      if ahead > each.within then
        update flex_rates r set full_at = started + make_interval(secs => each.within)
        where r.tenant = of_tenant and r.actor = each.actor and r.name = each.name;
      end if;
      ahead := least(greatest(coalesce(ahead, 0), 0), each.within);
      refused := each.most = 0 or ahead + cost > each.within + 0.000001;
      wait_seconds := case when refused then least(ahead + cost - each.within, each.within) else 0 end;
      if not refused then
        ahead := ahead + cost;
        moved := moved || each.name;
        moved_actors := moved_actors || each.actor;
        moved_to := moved_to || (started + make_interval(secs => ahead));
      end if;
      remaining := floor((each.within - ahead) / each.within * each.most + 0.000001);
    else
      if each.name = 'openRequests' then
        taken := flex_count_open_requests(of_tenant, each.submitter, each.most);
      else
        select count(*) into taken from flex_start_claims c
        where c.tenant = of_tenant and (each.submitter is null or c.submitter = each.submitter);
        taken := taken + flex_count_unfinished(of_tenant, each.submitter, each.most);
      end if;
      refused := taken >= each.most;
      remaining := greatest(each.most - taken, 0);
      wait_seconds := 0;
    end if;
    any_refused := any_refused or refused;
    return next;
  end loop;
  if any_refused then
    return;
  end if;
  insert into flex_rates as r (tenant, actor, name, full_at)
  select of_tenant, m.actor, m.name, m.full_at from unnest(moved, moved_actors, moved_to) as m (name, actor, full_at)
  on conflict (tenant, actor, name) do update set full_at = excluded.full_at;
  if 'unfinishedRuns' = any (names) then
    insert into flex_start_claims (run_id, tenant, submitter) values (of_run, of_tenant, of_submitter)
    on conflict do nothing;
  end if;
end
$$;

CREATE FUNCTION flex_append(batch jsonb) RETURNS TABLE(conflicting_run uuid, actual_seq integer)
    LANGUAGE plpgsql
    AS $$
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
      select * from jsonb_populate_recordset(
        jsonb_populate_record(null::flex_runs, '{"tenant": "default"}'), batch -> 'starts') s order by s.run_id
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

CREATE FUNCTION flex_append_values(batch jsonb, of_runs uuid[], hashes bytea[], contents bytea[]) RETURNS TABLE(conflicting_run uuid, actual_seq integer)
    LANGUAGE plpgsql
    AS $$
declare
  refused uuid[] := '{}';
begin
  for conflicting_run, actual_seq in select a.conflicting_run, a.actual_seq from flex_append(batch) a loop
    refused := refused || conflicting_run;
    return next;
  end loop;
  insert into flex_values (run_id, hash, value)
  select v.run_id, v.hash, v.content
  from unnest(of_runs, hashes, contents) as v (run_id, hash, content)
  where v.run_id <> all (refused)
  on conflict do nothing;
end
$$;

CREATE FUNCTION flex_check_order() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
  wrong record;
begin
  select n.run_id, n.seq, n.type into wrong
  from new_events n
  left join flex_events before on before.run_id = n.run_id and before.seq = n.seq - 1
  where case
    when n.seq = 1 or n.type = 'start' then n.seq <> 1 or n.type <> 'start'
    else before.run_id is null or before.type = 'complete' or (before.hash is not null and n.hash is null)
      or (select true from flex_imported_runs i where i.run_id = n.run_id)
  end
  order by n.run_id, n.seq
  limit 1;
  if not found then
    return null;
  end if;
  if exists (select from flex_imported_runs i where i.run_id = wrong.run_id) then
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

CREATE FUNCTION flex_count_open_requests(of_tenant text, of_submitter text, up_to bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE
    AS $$
begin
  return (select count(*) from (
    select from flex_runs r
    cross join lateral (
      select q.id from hitl_requests q where q.run_id = r.run_id and q.status = 'open' order by q.created_at, q.id
    ) open
    where r.tenant = of_tenant and (of_submitter is null or coalesce(r.submitted_by, '') = of_submitter)
      and r.completed_at is null and r.imported_at is null
    limit up_to) counted);
end
$$;

CREATE FUNCTION flex_count_unfinished(of_tenant text, of_submitter text, up_to bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE
    AS $$
begin
  if of_submitter is null then
    return (select count(*) from (
      select from flex_runs r
      where r.tenant = of_tenant and r.completed_at is null and r.imported_at is null
      order by coalesce(r.submitted_by, ''), r.run_id
      limit up_to) counted);
  end if;
  return (select count(*) from (
    select from flex_runs r
    where r.tenant = of_tenant and coalesce(r.submitted_by, '') = of_submitter
      and r.completed_at is null and r.imported_at is null
    order by r.run_id
    limit up_to) counted);
end
$$;

CREATE FUNCTION flex_drop_operations(keep_seconds double precision, most integer) RETURNS bigint
    LANGUAGE sql
    AS $$
  with old as (
    select o.operation_id
    from flex_operations o
    where o.operation_id < (
      lpad(to_hex((extract(epoch from statement_timestamp() - make_interval(secs => greatest(keep_seconds, 86400)))
        * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    order by o.operation_id
    limit most
    for update skip locked
  ), dropped as (
    delete from flex_operations o using old
    where o.operation_id = old.operation_id
    returning 1
  )
  select count(*) from dropped
$$;

CREATE FUNCTION flex_erase(of_run uuid, by_whom text, why text) RETURNS text
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION flex_failed_runs(of_code text, of_tenant text, since timestamp with time zone, before timestamp with time zone, run_before uuid, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE
    AS $$
  select r.run_id from flex_runs r
  where r.error ->> 'code' = of_code and (r.tenant = of_tenant) is true
    and current_setting('flexrun.tenant', true) in ('*', of_tenant)
    and r.created_at >= since and (r.created_at, r.run_id) < (before, run_before)
  order by r.created_at desc, r.run_id desc
  limit most
$$;

CREATE FUNCTION flex_forks_of(of_run text, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE
    AS $$
  select r.run_id from flex_runs r
  where r.origin ->> 'runId' = of_run and current_setting('flexrun.tenant', true) in ('*', r.tenant)
  order by r.created_at
  limit most
$$;

CREATE FUNCTION flex_free_queues() RETURNS SETOF text
    LANGUAGE sql STABLE
    AS $$
  with recursive free (queue) as (
    (select w.queue from flex_work w where not w.started and w.worker is null order by w.queue limit 1)
    union all
    select (select w.queue from flex_work w
            where not w.started and w.worker is null and w.queue > free.queue order by w.queue limit 1)
    from free where free.queue is not null)
  select queue from free where queue is not null
$$;

CREATE FUNCTION flex_holders() RETURNS SETOF text
    LANGUAGE sql STABLE
    AS $$
  with recursive holders (worker) as (
    (select w.worker from flex_work w where w.worker is not null order by w.worker limit 1)
    union all
    select (select w.worker from flex_work w
            where w.worker is not null and w.worker > holders.worker order by w.worker limit 1)
    from holders where holders.worker is not null)
  select worker from holders where worker is not null
$$;

CREATE FUNCTION flex_prune(of_runs uuid[], ended_before timestamp with time zone, exported_to text, exported_since timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS SETOF uuid
    LANGUAGE plpgsql
    AS $$
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
  insert into flex_pruned_runs (run_id, status, events, created_at, completed_at, exported_to, head_hash, tenant)
  select r.run_id, r.status, r.head_seq, r.created_at, coalesce(r.completed_at, r.imported_at), flex_prune.exported_to,
         e.hash, r.tenant
  from flex_runs r left join flex_events e on e.run_id = r.run_id and e.seq = r.head_seq
  where r.run_id = any (taken)
  on conflict (run_id) do update
  set status = excluded.status, events = excluded.events, created_at = excluded.created_at,
      completed_at = excluded.completed_at, exported_to = excluded.exported_to, head_hash = excluded.head_hash,
      tenant = excluded.tenant, pruned_at = clock_timestamp();
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

CREATE FUNCTION flex_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  raise exception 'the log only grows: % on % is refused', lower(tg_op), tg_table_name using errcode = 'FR004';
end
$$;

CREATE FUNCTION flex_refuse_erased_origins(origins jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION flex_refuse_key_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  raise exception 'run %: its key can be destroyed, and not changed or brought back', old.run_id using errcode = 'FR004';
end
$$;

CREATE FUNCTION flex_refuse_operation_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION flex_refuse_partial_removal() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if exists (
    select from (select distinct run_id from gone) g
    where not exists (select from flex_pruned_runs p where p.run_id = g.run_id)
       or exists (select from flex_events e where e.run_id = g.run_id))
  then
    raise exception 'the log only grows: delete on % is refused', tg_table_name using errcode = 'FR004';
  end if;
  return null;
end
$$;

CREATE FUNCTION flex_refuse_token_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  raise exception 'token %: it is revoked, or its hash, name and scopes would change; make another one', old.token_id
    using errcode = 'FR004';
end
$$;

CREATE FUNCTION flex_tenants() RETURNS SETOF text
    LANGUAGE sql STABLE
    AS $$
  with recursive known (tenant) as (
    (select r.tenant from flex_runs r order by r.tenant limit 1)
    union all
    select (select r.tenant from flex_runs r where r.tenant > known.tenant order by r.tenant limit 1)
    from known where known.tenant is not null)
  select tenant from known where tenant is not null
$$;

CREATE TABLE flex_work (
    run_id uuid NOT NULL,
    kind text NOT NULL,
    ref text NOT NULL,
    queue text NOT NULL,
    attempt integer NOT NULL,
    started boolean NOT NULL,
    due_at timestamp with time zone NOT NULL,
    worker text,
    lease_until timestamp with time zone,
    hinted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    losses jsonb,
    lost_as text,
    tenant text DEFAULT 'default'::text NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');

COMMENT ON COLUMN flex_work.due_at IS 'when it may be done: its own time, or the moment at which it became outstanding';

COMMENT ON COLUMN flex_work.hinted_at IS 'when a broker was last told of it';

COMMENT ON COLUMN flex_work.failures IS 'how often handling it failed in a way that nobody foresaw';

COMMENT ON COLUMN flex_work.losses IS 'workers in a row that were lost over this attempt before it began: [{attempt, worker, how, at}]';

COMMENT ON COLUMN flex_work.lost_as IS 'why the lease has lapsed, where that is known: died, stalled, bystander, broke';

COMMENT ON COLUMN flex_work.tenant IS 'that of the run, for whose turn it is';

CREATE FUNCTION flex_unpark(of_capability text, waits_as text, most integer) RETURNS SETOF flex_work
    LANGUAGE plpgsql
    AS $$
begin
  perform pg_advisory_xact_lock(hashtextextended('flexrun starts ' || of_capability, 0));
  return query
  update flex_work w
  set worker = null, lease_until = null
  from (
    select f.run_id, f.kind, f.ref from flex_work f
    where f.worker = waits_as and not f.started
    order by f.due_at
    limit most
    for update skip locked
  ) oldest
  where w.run_id = oldest.run_id and w.kind = oldest.kind and w.ref = oldest.ref
  returning w.*;
end
$$;

CREATE FUNCTION flex_whole(row_facts jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $$
declare
  whole jsonb := row_facts - 'apart';
  place text;
  wanted text;
  content bytea;
begin
  if jsonb_typeof(row_facts -> 'apart') = 'object' then
    for place, wanted in select * from jsonb_each_text(row_facts -> 'apart') loop
      select v.value into content from flex_values v
      where v.run_id = (row_facts ->> 'run_id')::uuid and v.hash = decode(wanted, 'hex');
      begin
        whole := jsonb_set(
          whole,
          (select array_agg(replace(replace(step, '~1', '/'), '~0', '~') order by nth)
           from unnest(string_to_array(substr(place, 2), '/')) with ordinality as s (step, nth)),
          coalesce(convert_from(content, 'UTF8')::jsonb, 'null'));
      exception when others then
        null;  -- it is no JSON: null stays in its place, and the comparison finds a difference
      end;
    end loop;
  end if;
  return whole;
end
$$;

CREATE FUNCTION flex_write_rows(batch jsonb, taken uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
  if batch ? 'replanned' then
    delete from flex_plan_nodes n
    using jsonb_to_recordset(batch -> 'replanned') as p (run_id uuid)
    where n.run_id = p.run_id and n.run_id = any (taken);
  end if;
  if batch ? 'planned' then
    insert into flex_plan_nodes
    select * from jsonb_populate_recordset(null::flex_plan_nodes, batch -> 'planned') p where p.run_id = any (taken);
  end if;
  if batch ? 'nodes' then
    update flex_plan_nodes n
    set status = c.status, attempt = c.attempt, failures = c.failures, losses = c.losses, due_at = c.due_at,
        context = coalesce(c.context, n.context), output = c.output, error = c.error,
        validation_errors = c.validation_errors, started_at = c.started_at, finished_at = c.finished_at,
        apart = c.apart
    from jsonb_populate_recordset(null::flex_plan_nodes, batch -> 'nodes') c
    where n.run_id = c.run_id and n.node_id = c.node_id and n.run_id = any (taken);
  end if;
  if batch ? 'requests' then
    insert into hitl_requests
    select * from jsonb_populate_recordset(null::hitl_requests, batch -> 'requests') q where q.run_id = any (taken)
    on conflict (id) do update
    set status = excluded.status, payload = excluded.payload, votes = excluded.votes, decision = excluded.decision,
        operator = excluded.operator, note = excluded.note, resolved_at = excluded.resolved_at,
        apart = excluded.apart;
  end if;
  if batch ? 'request_changes' then
    update hitl_requests q
    set status = c.status, votes = c.votes, proposal = c.proposal, decision = c.decision, operator = c.operator,
        note = c.note, expires_at = c.expires_at, resolved_at = c.resolved_at
    from jsonb_populate_recordset(null::hitl_requests, batch -> 'request_changes') c
    where q.id = c.id and q.run_id = any (taken);
  end if;
  if batch ? 'gone' then
    delete from flex_work w
    using jsonb_to_recordset(batch -> 'gone') as g (run_id uuid, kind text, ref text)
    where w.run_id = g.run_id and w.kind = g.kind and w.ref = g.ref and w.run_id = any (taken);
  end if;
  if batch ? 'work' then
    insert into flex_work as w (run_id, kind, ref, queue, attempt, started, due_at, worker, lease_until, tenant)
    select n.run_id, n.kind, n.ref, n.queue, n.attempt, n.started,
           case when n.at_once then least(n.due_at, clock_timestamp()) else n.due_at end, n.worker,
           clock_timestamp() + make_interval(secs => n.lease_seconds),
           coalesce(
             (select r.tenant from flex_runs r where r.run_id = n.run_id),
             (select s.tenant from jsonb_to_recordset(batch -> 'starts') as s (run_id uuid, tenant text)
              where s.run_id = n.run_id),
             'default')
    from jsonb_to_recordset(batch -> 'work') as n (
      run_id uuid, kind text, ref text, queue text, attempt integer, started boolean, due_at timestamptz,
      at_once boolean, worker text, lease_seconds double precision)
    where n.run_id = any (taken)
    on conflict (run_id, kind, ref) do update
    set queue = excluded.queue, attempt = excluded.attempt, started = excluded.started, due_at = excluded.due_at,
        worker = excluded.worker, lease_until = excluded.lease_until, hinted_at = clock_timestamp(),
        losses = case when excluded.attempt = w.attempt then w.losses end, lost_as = null;
  end if;
end
$$;

CREATE TABLE flex_capabilities (
    capability_id text NOT NULL,
    descriptor jsonb NOT NULL,
    worker text NOT NULL,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    version text DEFAULT '1.0.0'::text NOT NULL,
    source text DEFAULT 'worker'::text NOT NULL,
    disabled boolean DEFAULT false NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    open_until timestamp with time zone,
    last_taken_at timestamp with time zone,
    tenant text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT flex_capabilities_source_check CHECK ((source = ANY (ARRAY['worker'::text, 'api'::text, 'file'::text])))
);

COMMENT ON COLUMN flex_capabilities.source IS 'who registered it: a process that runs it, a caller, a file of descriptors';

COMMENT ON COLUMN flex_capabilities.failures IS 'calls of its endpoint that failed in a row';

COMMENT ON COLUMN flex_capabilities.open_until IS 'its endpoint is not called before then';

COMMENT ON COLUMN flex_capabilities.last_taken_at IS 'when an attempt of it last began';

COMMENT ON COLUMN flex_capabilities.tenant IS 'whose runs may use it; default: everybody''s';

CREATE TABLE flex_capability_starts (
    capability_id text NOT NULL,
    run_id uuid NOT NULL,
    node_id text NOT NULL,
    attempt integer NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    holder text DEFAULT ''::text NOT NULL
);

COMMENT ON COLUMN flex_capability_starts.holder IS 'the process that was last admitted to start the attempt';

CREATE TABLE flex_capability_workers (
    worker text NOT NULL,
    capability_id text NOT NULL,
    version text NOT NULL,
    slots integer,
    last_seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE flex_dead_letters (
    id bigint NOT NULL,
    queue text NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    died_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE flex_dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME flex_dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE flex_events (
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    type text NOT NULL,
    node_id text,
    payload jsonb NOT NULL,
    detail jsonb,
    message text,
    plan_version integer,
    correlation_id text,
    recorded_at timestamp with time zone NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    "position" bigint NOT NULL,
    hash bytea,
    apart jsonb,
    CONSTRAINT flex_events_seq_check CHECK ((seq >= 1))
);

COMMENT ON COLUMN flex_events.payload IS 'what the wire shows';

COMMENT ON COLUMN flex_events.detail IS 'what folding needs and the wire does not show';

COMMENT ON COLUMN flex_events.xid IS 'the commit; position alone is not commit order, (xid, position) below the snapshot is';

COMMENT ON COLUMN flex_events.hash IS 'SHA-256 over the event and the hash of the one before it; null: of an earlier version';

COMMENT ON COLUMN flex_events.apart IS 'what payload and detail have in flex_values: place → hash';

CREATE VIEW flex_event_rows WITH (security_invoker='true') AS
 SELECT run_id,
    seq,
    type,
    payload,
    recorded_at,
    correlation_id,
    node_id,
    plan_version,
    message,
    detail,
    encode(hash, 'hex'::text) AS hash,
    apart
   FROM flex_events e;

ALTER TABLE flex_events ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME flex_events_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE flex_facets (
    name text NOT NULL,
    version text NOT NULL,
    description text NOT NULL,
    schema jsonb NOT NULL,
    many boolean DEFAULT false NOT NULL,
    source text NOT NULL,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    tenant text DEFAULT 'default'::text NOT NULL
);

COMMENT ON COLUMN flex_facets.tenant IS 'whose runs may use it; default: everybody''s';

CREATE TABLE flex_imported_runs (
    run_id uuid NOT NULL,
    imported_at timestamp with time zone NOT NULL,
    imported_by text NOT NULL,
    installation text,
    flexrun text NOT NULL,
    exported_at timestamp with time zone NOT NULL,
    events integer NOT NULL,
    head_hash bytea
);

COMMENT ON COLUMN flex_imported_runs.installation IS 'where it was exported, as the file says; null: the file does not say it';

COMMENT ON COLUMN flex_imported_runs.flexrun IS 'the version that exported it, as the file says';

COMMENT ON COLUMN flex_imported_runs.head_hash IS 'the hash of its last event; null: of a version that had none';

CREATE TABLE flex_limits (
    tenant text NOT NULL,
    actor text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    most bigint,
    set_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    set_by text NOT NULL,
    CONSTRAINT flex_limits_most CHECK ((most >= 0))
);

COMMENT ON COLUMN flex_limits.actor IS 'empty: the tenant as a whole; *: each of its callers; else the caller of this name';

COMMENT ON COLUMN flex_limits.most IS 'null: no limit, whatever the settings of gateways say';

CREATE TABLE flex_links (
    link_id text NOT NULL,
    run_id uuid NOT NULL,
    request_id text NOT NULL,
    person text,
    known boolean NOT NULL,
    with_tokens boolean NOT NULL,
    made_by text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by text
);

COMMENT ON COLUMN flex_links.person IS 'in whose name it decides; null: in the name that is typed into the page';

COMMENT ON COLUMN flex_links.known IS 'the person had a token when it was made; without one, it decides nothing';

COMMENT ON COLUMN flex_links.with_tokens IS 'tokens were configured when it was made';

CREATE TABLE flex_messages (
    id bigint NOT NULL,
    queue text NOT NULL,
    body bytea NOT NULL,
    deliveries integer DEFAULT 0 NOT NULL,
    sent_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    visible_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON COLUMN flex_messages.visible_at IS 'nobody else takes it before; a consumer that died gives it back so';

ALTER TABLE flex_messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME flex_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE flex_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    compatible integer
);

CREATE TABLE flex_operations (
    operation_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    claimed_actor text,
    token_id uuid,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text,
    run_id uuid,
    outcome text NOT NULL,
    status integer,
    code text,
    reason text,
    correlation_id text,
    source text,
    forwarded_for text,
    finished_at timestamp with time zone,
    tenant text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT flex_operations_finished CHECK (((outcome = 'begun'::text) = (finished_at IS NULL))),
    CONSTRAINT flex_operations_outcome CHECK ((outcome = ANY (ARRAY['begun'::text, 'done'::text, 'refused'::text, 'failed'::text])))
)
WITH (fillfactor='85');

COMMENT ON TABLE flex_operations IS 'the operations log; its ids are UUIDv7, so their order is that of time';

COMMENT ON COLUMN flex_operations.claimed_actor IS 'who the caller says to be, which no token shows';

COMMENT ON COLUMN flex_operations.outcome IS 'begun: the answer is not known, the gateway ended or the caller left before it';

COMMENT ON COLUMN flex_operations.forwarded_for IS 'what the caller says of the way of its request; not checked';

CREATE UNLOGGED TABLE flex_partial_outputs (
    run_id uuid NOT NULL,
    node_id text NOT NULL,
    attempt integer NOT NULL,
    text text NOT NULL,
    patches jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON COLUMN flex_partial_outputs.patches IS 'JSON Patch operations (RFC 6902), in their order';

CREATE TABLE flex_plan_nodes (
    run_id uuid NOT NULL,
    node_id text NOT NULL,
    ordinal integer NOT NULL,
    capability_id text NOT NULL,
    kind text NOT NULL,
    label text NOT NULL,
    queue text NOT NULL,
    executor_type text NOT NULL,
    depends_on jsonb NOT NULL,
    status text NOT NULL,
    attempt integer NOT NULL,
    failures integer NOT NULL,
    losses integer NOT NULL,
    due_at timestamp with time zone,
    context jsonb,
    output jsonb,
    error jsonb,
    validation_errors jsonb,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    capability_version text,
    run_created_at timestamp with time zone,
    apart jsonb
)
WITH (fillfactor='70');

COMMENT ON COLUMN flex_plan_nodes.context IS 'the bundle of the last attempt, without the outputs of other nodes';

COMMENT ON COLUMN flex_plan_nodes.run_created_at IS 'created_at of its run';

COMMENT ON COLUMN flex_plan_nodes.apart IS 'what output has in flex_values: place → hash';

CREATE TABLE flex_processes (
    worker text NOT NULL,
    role text NOT NULL,
    version text,
    queues text[] NOT NULL,
    slots integer,
    busy integer,
    taken_at timestamp with time zone,
    clock_ahead_seconds double precision,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    heard_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT flex_processes_role_check CHECK ((role = ANY (ARRAY['gateway'::text, 'planner'::text, 'executor'::text, 'worker'::text])))
);

COMMENT ON COLUMN flex_processes.worker IS 'as leases name it';

COMMENT ON COLUMN flex_processes.busy IS 'how many of its slots are taken, as it says; of a worker at a gateway not known';

COMMENT ON COLUMN flex_processes.taken_at IS 'when it last took work';

COMMENT ON COLUMN flex_processes.clock_ahead_seconds IS 'its clock less the clock of the database';

CREATE TABLE flex_pruned_runs (
    run_id uuid NOT NULL,
    status text NOT NULL,
    events integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone NOT NULL,
    exported_to text,
    pruned_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    head_hash bytea,
    tenant text DEFAULT 'default'::text NOT NULL
);

COMMENT ON TABLE flex_pruned_runs IS 'runs that were removed after their time, so that who asks for one is told so';

COMMENT ON COLUMN flex_pruned_runs.events IS 'how many events its log had';

COMMENT ON COLUMN flex_pruned_runs.head_hash IS 'the hash of its last event; null: of a version that had none';

CREATE TABLE flex_rates (
    tenant text NOT NULL,
    actor text NOT NULL,
    name text NOT NULL,
    full_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE flex_rates IS 'limits of so much in a time (GCRA): one row whatever was taken';

COMMENT ON COLUMN flex_rates.full_at IS 'when all of it can be taken again';

CREATE TABLE flex_run_keys (
    run_id uuid NOT NULL,
    key bytea,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    erased_at timestamp with time zone,
    erased_by text,
    reason text,
    CONSTRAINT flex_run_keys_erased CHECK (((key IS NULL) = (erased_at IS NOT NULL))),
    CONSTRAINT flex_run_keys_length CHECK (((length(key) >= 32) AND (length(key) <= 200)))
);

COMMENT ON TABLE flex_run_keys IS 'the key of each run that can be erased; of an erased one the tombstone';

COMMENT ON COLUMN flex_run_keys.key IS 'AES-256, 32 bytes as it is, longer ones wrapped: a form (1), the length of an id, the id, RFC 3394; null: destroyed';

CREATE TABLE flex_runs (
    run_id uuid NOT NULL,
    status text NOT NULL,
    head_seq integer NOT NULL,
    objective text NOT NULL,
    thread_id text,
    envelope jsonb NOT NULL,
    schema_hash text,
    output jsonb,
    error jsonb,
    plan_version integer,
    client_id text,
    run_label text,
    submitted_by text,
    origin jsonb,
    correlation_id text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    deadline_at timestamp with time zone,
    usage jsonb,
    imported_at timestamp with time zone,
    apart jsonb,
    erased_at timestamp with time zone,
    tenant text DEFAULT 'default'::text NOT NULL
)
WITH (fillfactor='70');
ALTER TABLE ONLY flex_runs ALTER COLUMN envelope SET STORAGE EXTERNAL;

COMMENT ON COLUMN flex_runs.usage IS 'sums of what attempts reported; null where none did';

COMMENT ON COLUMN flex_runs.imported_at IS 'when it was imported; null: it was made here';

COMMENT ON COLUMN flex_runs.apart IS 'what envelope and output have in flex_values: place → hash';

COMMENT ON COLUMN flex_runs.erased_at IS 'when its data was erased: the row has only what the log shows without the key';

COMMENT ON COLUMN flex_runs.tenant IS 'to whom it belongs, and all rows of the run with it';

CREATE VIEW flex_run_rows WITH (security_invoker='true') AS
 SELECT run_id,
    status,
    head_seq,
    objective,
    thread_id,
    schema_hash,
    error,
    plan_version,
    client_id,
    run_label,
    submitted_by,
    correlation_id,
    created_at,
    updated_at,
    completed_at,
    deadline_at,
    usage,
    imported_at,
    erased_at,
    tenant
   FROM flex_runs r;

CREATE TABLE flex_secrets (
    name text NOT NULL,
    value bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE flex_start_claims (
    run_id uuid NOT NULL,
    tenant text NOT NULL,
    submitter text NOT NULL,
    claimed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE flex_start_claims IS 'starts that were let through and are not in the log yet';

CREATE VIEW flex_task_rows WITH (security_invoker='true') AS
 SELECT n.run_id,
    n.node_id,
    n.capability_id,
    n.label,
    n.attempt,
    n.context,
    n.started_at,
    r.thread_id,
    r.plan_version,
    r.objective,
    r.client_id,
    r.status AS run_status,
    w.due_at AS expires_at,
    r.tenant
   FROM ((flex_runs r
     JOIN flex_plan_nodes n ON (((n.run_id = r.run_id) AND (n.executor_type = 'human'::text))))
     LEFT JOIN flex_work w ON (((w.run_id = n.run_id) AND (w.kind = 'task_expiry'::text) AND (w.ref = n.node_id))))
  WHERE ((n.status = 'awaiting_human'::text) AND (r.imported_at IS NULL));

COMMENT ON VIEW flex_task_rows IS 'nodes that wait for the work of a person';

CREATE TABLE flex_tokens (
    token_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    roles text[] NOT NULL,
    description text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    revoked_by text,
    tenant text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT flex_tokens_digest CHECK ((length(digest) = 32)),
    CONSTRAINT flex_tokens_revoked CHECK (((revoked_at IS NULL) = (revoked_by IS NULL))),
    CONSTRAINT flex_tokens_scopes CHECK (((cardinality(scopes) > 0) OR (cardinality(roles) > 0)))
);

COMMENT ON TABLE flex_tokens IS 'rows stay when they are revoked: as long as there is one, the gateway asks for tokens';

COMMENT ON COLUMN flex_tokens.last_used_at IS 'written at most once a minute';

CREATE TABLE flex_values (
    run_id uuid NOT NULL,
    hash bytea NOT NULL,
    value bytea NOT NULL,
    CONSTRAINT flex_values_hash CHECK ((length(hash) = 32))
);

COMMENT ON TABLE flex_values IS 'large values of documents, once in a run; removed with it';

COMMENT ON COLUMN flex_values.hash IS 'SHA-256 of value';

COMMENT ON COLUMN flex_values.value IS 'JSON text with sorted keys';

CREATE TABLE flex_webhook_deliveries (
    hook_id uuid NOT NULL,
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    type text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    attempted_at timestamp with time zone,
    response_status integer,
    error text,
    finished_at timestamp with time zone,
    CONSTRAINT flex_webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'given_up'::text])))
)
WITH (fillfactor='80');

CREATE TABLE flex_webhook_lanes (
    hook_id uuid NOT NULL,
    run_id uuid NOT NULL,
    done_seq integer NOT NULL,
    last_seq integer NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    worker text
)
WITH (fillfactor='70');

COMMENT ON COLUMN flex_webhook_lanes.done_seq IS 'its next delivery is the first one after this';

COMMENT ON COLUMN flex_webhook_lanes.last_seq IS 'its last delivery so far';

COMMENT ON COLUMN flex_webhook_lanes.attempts IS 'how often the next delivery was tried';

COMMENT ON COLUMN flex_webhook_lanes.due_at IS 'when it may be claimed: while it is held, when its lease ends; infinity, when nothing waits';

COMMENT ON COLUMN flex_webhook_lanes.worker IS 'who holds it';

CREATE VIEW flex_webhook_delivery_rows WITH (security_invoker='true') AS
 SELECT hook_id,
    run_id,
    seq,
    type,
    status,
    attempts,
    created_at,
    attempted_at,
    ( SELECT l.due_at
           FROM flex_webhook_lanes l
          WHERE ((l.hook_id = d.hook_id) AND (l.run_id = d.run_id) AND (l.worker IS NULL) AND (d.status = 'pending'::text) AND (d.seq = ( SELECT min(o.seq) AS min
                   FROM flex_webhook_deliveries o
                  WHERE ((o.hook_id = l.hook_id) AND (o.run_id = l.run_id) AND (o.seq > l.done_seq)))))) AS next_attempt_at,
    response_status,
    error,
    finished_at
   FROM flex_webhook_deliveries d;

COMMENT ON COLUMN flex_webhook_delivery_rows.next_attempt_at IS 'only the head of a lane has one';

CREATE TABLE flex_webhooks (
    id uuid NOT NULL,
    url text NOT NULL,
    event_types text[] NOT NULL,
    description text,
    secret bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_by text,
    created_in pg_snapshot DEFAULT pg_current_snapshot() NOT NULL,
    fed_xid xid8 DEFAULT pg_snapshot_xmin(pg_current_snapshot()) NOT NULL,
    fed_position bigint DEFAULT 0 NOT NULL,
    disabled_at timestamp with time zone,
    disabled_reason text,
    removed_at timestamp with time zone,
    tenant text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT flex_webhooks_event_types_check CHECK ((cardinality(event_types) > 0))
)
WITH (fillfactor='50');

COMMENT ON COLUMN flex_webhooks.created_in IS 'what was stored already when it was made, and is none of its business';

COMMENT ON COLUMN flex_webhooks.fed_xid IS 'with fed_position the place in the whole log up to which its deliveries are written';

COMMENT ON COLUMN flex_webhooks.disabled_at IS 'nothing is fed or delivered from then on; removing it disables it too';

COMMENT ON COLUMN flex_webhooks.removed_at IS 'shown no more; its rows go a bundle at a time';

CREATE TABLE hitl_requests (
    id text NOT NULL,
    run_id uuid NOT NULL,
    thread_id text,
    node_id text,
    kind text NOT NULL,
    subject text NOT NULL,
    status text NOT NULL,
    payload jsonb NOT NULL,
    rules jsonb NOT NULL,
    votes jsonb NOT NULL,
    decision text,
    operator text,
    note text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    resolved_at timestamp with time zone,
    proposal jsonb,
    apart jsonb,
    CONSTRAINT hitl_requests_status_check CHECK ((status = ANY (ARRAY['open'::text, 'resolved'::text, 'cancelled'::text])))
);

COMMENT ON COLUMN hitl_requests.proposal IS 'the edit or answer that the votes are for; null: what was asked at first';

COMMENT ON COLUMN hitl_requests.apart IS 'what payload has in flex_values: place → hash';

CREATE VIEW hitl_request_rows WITH (security_invoker='true') AS
 SELECT q.id AS request_id,
    q.run_id,
    q.thread_id,
    q.node_id,
    q.kind,
    q.subject,
    q.status,
    q.payload,
    q.rules,
    q.votes,
    q.proposal,
    q.decision,
    q.operator,
    q.note,
    q.created_at,
    q.expires_at,
    q.resolved_at,
    r.status AS run_status,
    r.plan_version,
    r.objective,
    r.updated_at AS run_updated_at,
    COALESCE((r.envelope #>> '{metadata,briefId}'::text[]), (r.envelope #>> '{inputs,briefId}'::text[])) AS brief_id,
    r.client_id,
    q.apart,
    r.tenant
   FROM (hitl_requests q
     JOIN flex_runs r ON ((r.run_id = q.run_id)));

COMMENT ON VIEW hitl_request_rows IS 'requests, open or not, with facts of their runs';

ALTER TABLE ONLY flex_capabilities
    ADD CONSTRAINT flex_capabilities_pkey PRIMARY KEY (capability_id, version);

ALTER TABLE ONLY flex_capability_starts
    ADD CONSTRAINT flex_capability_starts_pkey PRIMARY KEY (capability_id, run_id, node_id, attempt);

ALTER TABLE ONLY flex_capability_workers
    ADD CONSTRAINT flex_capability_workers_pkey PRIMARY KEY (worker, capability_id, version);

ALTER TABLE ONLY flex_dead_letters
    ADD CONSTRAINT flex_dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY flex_events
    ADD CONSTRAINT flex_events_pkey PRIMARY KEY (run_id, seq);

ALTER TABLE ONLY flex_facets
    ADD CONSTRAINT flex_facets_pkey PRIMARY KEY (name, version);

ALTER TABLE ONLY flex_imported_runs
    ADD CONSTRAINT flex_imported_runs_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY flex_limits
    ADD CONSTRAINT flex_limits_pkey PRIMARY KEY (tenant, actor, name);

ALTER TABLE ONLY flex_links
    ADD CONSTRAINT flex_links_pkey PRIMARY KEY (link_id);

ALTER TABLE ONLY flex_messages
    ADD CONSTRAINT flex_messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY flex_migrations
    ADD CONSTRAINT flex_migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY flex_operations
    ADD CONSTRAINT flex_operations_pkey PRIMARY KEY (operation_id);

ALTER TABLE ONLY flex_partial_outputs
    ADD CONSTRAINT flex_partial_outputs_pkey PRIMARY KEY (run_id, node_id);

ALTER TABLE ONLY flex_plan_nodes
    ADD CONSTRAINT flex_plan_nodes_pkey PRIMARY KEY (run_id, node_id);

ALTER TABLE ONLY flex_processes
    ADD CONSTRAINT flex_processes_pkey PRIMARY KEY (worker, role);

ALTER TABLE ONLY flex_pruned_runs
    ADD CONSTRAINT flex_pruned_runs_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY flex_rates
    ADD CONSTRAINT flex_rates_pkey PRIMARY KEY (tenant, actor, name);

ALTER TABLE ONLY flex_run_keys
    ADD CONSTRAINT flex_run_keys_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY flex_runs
    ADD CONSTRAINT flex_runs_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY flex_secrets
    ADD CONSTRAINT flex_secrets_pkey PRIMARY KEY (name);

ALTER TABLE ONLY flex_start_claims
    ADD CONSTRAINT flex_start_claims_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY flex_tokens
    ADD CONSTRAINT flex_tokens_digest_key UNIQUE (digest);

ALTER TABLE ONLY flex_tokens
    ADD CONSTRAINT flex_tokens_pkey PRIMARY KEY (token_id);

ALTER TABLE ONLY flex_values
    ADD CONSTRAINT flex_values_pkey PRIMARY KEY (run_id, hash);

ALTER TABLE ONLY flex_webhook_deliveries
    ADD CONSTRAINT flex_webhook_deliveries_pkey PRIMARY KEY (hook_id, run_id, seq);

ALTER TABLE ONLY flex_webhook_lanes
    ADD CONSTRAINT flex_webhook_lanes_pkey PRIMARY KEY (hook_id, run_id);

ALTER TABLE ONLY flex_webhooks
    ADD CONSTRAINT flex_webhooks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY flex_work
    ADD CONSTRAINT flex_work_pkey PRIMARY KEY (run_id, kind, ref);

ALTER TABLE ONLY hitl_requests
    ADD CONSTRAINT hitl_requests_pkey PRIMARY KEY (id);

CREATE INDEX flex_capability_starts_time ON flex_capability_starts USING btree (capability_id, started_at);

CREATE INDEX flex_capability_workers_seen ON flex_capability_workers USING btree (capability_id, last_seen_at);

CREATE INDEX flex_dead_letters_queue ON flex_dead_letters USING btree (queue, id);

CREATE UNIQUE INDEX flex_events_one_complete ON flex_events USING btree (run_id) WHERE (type = 'complete'::text);

CREATE INDEX flex_events_xid_position ON flex_events USING btree (xid, "position");

CREATE INDEX flex_links_created ON flex_links USING btree (created_at, link_id);

CREATE INDEX flex_links_expires ON flex_links USING btree (expires_at);

CREATE INDEX flex_links_request ON flex_links USING btree (request_id);

CREATE INDEX flex_links_run ON flex_links USING btree (run_id);

CREATE INDEX flex_messages_visible ON flex_messages USING btree (queue, visible_at);

CREATE INDEX flex_operations_action ON flex_operations USING btree (action, operation_id);

CREATE INDEX flex_operations_actor ON flex_operations USING btree (actor, operation_id);

CREATE INDEX flex_operations_object ON flex_operations USING btree (object_kind, object_id, operation_id) WHERE (object_kind <> 'run'::text);

CREATE INDEX flex_operations_run ON flex_operations USING btree (run_id, operation_id) WHERE (run_id IS NOT NULL);

CREATE INDEX flex_operations_tenant ON flex_operations USING btree (tenant, operation_id);

CREATE INDEX flex_plan_nodes_capability ON flex_plan_nodes USING btree (capability_id, finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX flex_plan_nodes_people ON flex_plan_nodes USING btree (run_id, node_id) WHERE (executor_type = 'human'::text);

CREATE INDEX flex_plan_nodes_runs ON flex_plan_nodes USING btree (capability_id, run_created_at, run_id) WHERE (run_created_at IS NOT NULL);

CREATE INDEX flex_processes_heard ON flex_processes USING btree (heard_at);

CREATE INDEX flex_rates_full ON flex_rates USING btree (full_at);

CREATE INDEX flex_runs_client ON flex_runs USING btree (client_id, created_at, run_id) WHERE (client_id IS NOT NULL);

CREATE INDEX flex_runs_completed ON flex_runs USING btree (completed_at, run_id) WHERE (completed_at IS NOT NULL);

CREATE INDEX flex_runs_error ON flex_runs USING btree (((error ->> 'code'::text)), created_at, run_id) WHERE ((error ->> 'code'::text) IS NOT NULL);

CREATE INDEX flex_runs_forks ON flex_runs USING btree (((origin ->> 'runId'::text)), created_at) WHERE ((origin ->> 'runId'::text) IS NOT NULL);

CREATE INDEX flex_runs_imported ON flex_runs USING btree (created_at, run_id) WHERE (imported_at IS NOT NULL);

CREATE INDEX flex_runs_label ON flex_runs USING btree (run_label, created_at, run_id) WHERE (run_label IS NOT NULL);

CREATE INDEX flex_runs_submitter ON flex_runs USING btree (submitted_by, created_at, run_id) WHERE (submitted_by IS NOT NULL);

CREATE INDEX flex_runs_tenant ON flex_runs USING btree (tenant, created_at, run_id);

CREATE INDEX flex_runs_tenant_status ON flex_runs USING btree (tenant, status, created_at, run_id);

CREATE INDEX flex_runs_thread ON flex_runs USING btree (thread_id, created_at) WHERE (thread_id IS NOT NULL);

CREATE INDEX flex_runs_unfinished ON flex_runs USING btree (tenant, COALESCE(submitted_by, ''::text), run_id) WHERE ((completed_at IS NULL) AND (imported_at IS NULL));

CREATE INDEX flex_start_claims_tenant ON flex_start_claims USING btree (tenant);

CREATE INDEX flex_start_claims_time ON flex_start_claims USING btree (claimed_at);

CREATE INDEX flex_tokens_live ON flex_tokens USING btree (token_id) WHERE (revoked_at IS NULL);

CREATE INDEX flex_webhook_deliveries_finished ON flex_webhook_deliveries USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX flex_webhook_deliveries_open ON flex_webhook_deliveries USING btree (hook_id, status, run_id, seq) WHERE (status <> 'delivered'::text);

CREATE INDEX flex_webhook_lanes_due ON flex_webhook_lanes USING btree (hook_id, due_at);

CREATE INDEX flex_work_expiring ON flex_work USING btree (lease_until) WHERE (worker IS NOT NULL);

CREATE INDEX flex_work_free ON flex_work USING btree (queue, due_at) WHERE ((NOT started) AND (worker IS NULL));

CREATE INDEX flex_work_free_of_tenant ON flex_work USING btree (queue, tenant, due_at) WHERE ((NOT started) AND (worker IS NULL));

CREATE INDEX flex_work_leased ON flex_work USING btree (worker, due_at) WHERE (worker IS NOT NULL);

CREATE INDEX hitl_requests_open ON hitl_requests USING btree (created_at, id) WHERE (status = 'open'::text);

CREATE INDEX hitl_requests_open_thread ON hitl_requests USING btree (thread_id, created_at, id) WHERE (status = 'open'::text);

CREATE INDEX hitl_requests_run ON hitl_requests USING btree (run_id, created_at, id);

CREATE TRIGGER flex_events_check_order AFTER INSERT ON flex_events REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION flex_check_order();

CREATE TRIGGER flex_events_refuse_change BEFORE UPDATE OR TRUNCATE ON flex_events FOR EACH STATEMENT EXECUTE FUNCTION flex_refuse_change();

CREATE TRIGGER flex_events_refuse_removal AFTER DELETE ON flex_events REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION flex_refuse_partial_removal();

CREATE TRIGGER flex_operations_keep_ended BEFORE UPDATE ON flex_operations FOR EACH ROW WHEN (((old.outcome <> 'begun'::text) OR (new.at <> old.at) OR (new.action <> old.action))) EXECUTE FUNCTION flex_refuse_operation_change();

CREATE TRIGGER flex_operations_keep_young BEFORE DELETE ON flex_operations FOR EACH ROW WHEN ((old.at > (clock_timestamp() - '23:00:00'::interval))) EXECUTE FUNCTION flex_refuse_operation_change();

CREATE TRIGGER flex_run_keys_keep BEFORE UPDATE ON flex_run_keys FOR EACH ROW WHEN (((old.key IS NULL) OR (new.run_id <> old.run_id) OR ((new.key IS NOT NULL) AND ((length(old.key) = 32) OR (length(new.key) = 32))))) EXECUTE FUNCTION flex_refuse_key_change();

CREATE TRIGGER flex_tokens_keep BEFORE UPDATE ON flex_tokens FOR EACH ROW WHEN (((new.digest <> old.digest) OR (new.name <> old.name) OR (new.scopes <> old.scopes) OR (new.roles <> old.roles) OR ((old.revoked_at IS NOT NULL) AND (new.revoked_at IS DISTINCT FROM old.revoked_at)))) EXECUTE FUNCTION flex_refuse_token_change();

CREATE TRIGGER flex_values_refuse_change BEFORE UPDATE OR TRUNCATE ON flex_values FOR EACH STATEMENT EXECUTE FUNCTION flex_refuse_change();

CREATE TRIGGER flex_values_refuse_removal AFTER DELETE ON flex_values REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION flex_refuse_partial_removal();

ALTER TABLE ONLY flex_webhook_deliveries
    ADD CONSTRAINT flex_webhook_deliveries_hook FOREIGN KEY (hook_id) REFERENCES flex_webhooks(id);

ALTER TABLE ONLY flex_webhook_lanes
    ADD CONSTRAINT flex_webhook_lanes_hook FOREIGN KEY (hook_id) REFERENCES flex_webhooks(id);

ALTER TABLE flex_capabilities ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_capability_starts ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_capability_workers ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_dead_letters ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_facets ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_imported_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_limits ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_messages ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_migrations ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_operations ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_partial_outputs ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_plan_nodes ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_processes ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_pruned_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_rates ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_run_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_secrets ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_start_claims ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_tokens ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_values ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_webhook_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_webhook_lanes ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_webhooks ENABLE ROW LEVEL SECURITY;

ALTER TABLE flex_work ENABLE ROW LEVEL SECURITY;

CREATE POLICY flexrun_shared ON flex_capabilities FOR SELECT USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) <> ''::text) AND (tenant = 'default'::text)));

CREATE POLICY flexrun_shared ON flex_capability_workers FOR SELECT USING ((( SELECT c.tenant
   FROM flex_capabilities c
  WHERE ((c.capability_id = flex_capability_workers.capability_id) AND (c.version = flex_capability_workers.version))) = ANY (ARRAY['default'::text, ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting)])));

CREATE POLICY flexrun_shared ON flex_facets FOR SELECT USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) <> ''::text) AND (tenant = 'default'::text)));

CREATE POLICY flexrun_tenant ON flex_capabilities USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_capability_starts USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_capability_starts.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_capability_workers USING ((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text));

CREATE POLICY flexrun_tenant ON flex_dead_letters USING ((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text));

CREATE POLICY flexrun_tenant ON flex_events USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_events.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_facets USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_imported_runs USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_imported_runs.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_limits USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_links USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_links.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_messages USING ((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text));

CREATE POLICY flexrun_tenant ON flex_migrations USING ((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text));

CREATE POLICY flexrun_tenant ON flex_operations USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_partial_outputs USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_partial_outputs.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_plan_nodes USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_plan_nodes.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_processes USING ((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text));

CREATE POLICY flexrun_tenant ON flex_pruned_runs USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_rates USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_run_keys USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_run_keys.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_runs USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_secrets USING ((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text));

CREATE POLICY flexrun_tenant ON flex_start_claims USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_tokens USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_values USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_values.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_webhook_deliveries USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT h.tenant
   FROM flex_webhooks h
  WHERE (h.id = flex_webhook_deliveries.hook_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_webhook_lanes USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT h.tenant
   FROM flex_webhooks h
  WHERE (h.id = flex_webhook_lanes.hook_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON flex_webhooks USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = tenant)));

CREATE POLICY flexrun_tenant ON flex_work USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = flex_work.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

CREATE POLICY flexrun_tenant ON hitl_requests USING (((( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting) = '*'::text) OR (( SELECT r.tenant
   FROM flex_runs r
  WHERE (r.run_id = hitl_requests.run_id)) = ( SELECT current_setting('flexrun.tenant'::text, true) AS current_setting))));

ALTER TABLE hitl_requests ENABLE ROW LEVEL SECURITY;
