-- Large values live once in a run, in flex_values, by the SHA-256 of their text. Where a document of an event or of a read
-- model had one there is null, and the column `apart` of that row has its place (a JSON pointer that begins with the name
-- of the column) and its hash: `{"/payload/output": "9f86…"}`. Callers write documents and never that column, so no data
-- can pass for such a place. Rows of earlier versions have their documents whole, and stay so.

create table flex_values (
  run_id uuid not null,
  hash bytea not null,
  value bytea not null,
  primary key (run_id, hash),
  constraint flex_values_hash check (length(hash) = 32)
);

comment on table flex_values is 'large values of documents, once in a run; removed with it';
comment on column flex_values.hash is 'SHA-256 of value';
comment on column flex_values.value is 'JSON text with sorted keys';

alter table flex_events add column apart jsonb;
alter table flex_runs add column apart jsonb;
alter table flex_plan_nodes add column apart jsonb;
alter table hitl_requests add column apart jsonb;

comment on column flex_events.apart is 'what payload and detail have in flex_values: place → hash';
comment on column flex_runs.apart is 'what envelope and output have in flex_values: place → hash';
comment on column flex_plan_nodes.apart is 'what output has in flex_values: place → hash';
comment on column hitl_requests.apart is 'what payload has in flex_values: place → hash';

create or replace view flex_event_rows as
select e.run_id, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version, e.message, e.detail,
       encode(e.hash, 'hex') as hash, e.apart
from flex_events e;

create or replace view hitl_request_rows as
select q.id as request_id, q.run_id, q.thread_id, q.node_id, q.kind, q.subject, q.status, q.payload, q.rules, q.votes,
       q.proposal, q.decision, q.operator, q.note, q.created_at, q.expires_at, q.resolved_at,
       r.status as run_status, r.plan_version, r.objective, r.updated_at as run_updated_at,
       coalesce(r.envelope #>> '{metadata,briefId}', r.envelope #>> '{inputs,briefId}') as brief_id, r.client_id, q.apart
from hitl_requests q
join flex_runs r on r.run_id = q.run_id;

-- A row as JSON with its large values in their places, for comparisons: null where one is not there.
create function flex_whole(row_facts jsonb) returns jsonb language plpgsql stable as $$
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
  if batch ? 'starts' then
    with started as (
      insert into flex_runs
      select * from jsonb_populate_recordset(null::flex_runs, batch -> 'starts') s order by s.run_id
      on conflict do nothing
      returning run_id)
    select array_agg(run_id) into begun from started;
    taken := taken || begun;
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

create or replace function flex_write_rows(batch jsonb, taken uuid[]) returns void language plpgsql as $$
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
    insert into flex_work as w (run_id, kind, ref, queue, attempt, started, due_at, worker, lease_until)
    select n.run_id, n.kind, n.ref, n.queue, n.attempt, n.started,
           case when n.at_once then least(n.due_at, clock_timestamp()) else n.due_at end, n.worker,
           clock_timestamp() + make_interval(secs => n.lease_seconds)
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

create or replace function flex_prune(of_runs uuid[], ended_before timestamp with time zone, exported_to text) returns setof uuid language plpgsql as $$
declare
  taken uuid[];
begin
  -- Nobody waits for a removal to be on the disk: after a crash some runs are back, and are removed again.
  perform set_config('synchronous_commit', 'off', true);
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
  delete from flex_values where run_id = any (taken);
  delete from flex_imported_runs where run_id = any (taken);
  delete from flex_runs where run_id = any (taken);
  return query select unnest(taken);
end
$$;

create or replace function flex_refuse_partial_removal() returns trigger language plpgsql as $$
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

create or replace function flex_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the log only grows: % on % is refused', lower(tg_op), tg_table_name using errcode = 'FR004';
end
$$;

-- Values belong to the log: they are neither changed nor removed while their run has events.
create trigger flex_values_refuse_change before update or truncate on flex_values
for each statement execute function flex_refuse_change();
create trigger flex_values_refuse_removal after delete on flex_values referencing old table as gone
for each statement execute function flex_refuse_partial_removal();

-- A batch with large values: what `flex_append` does, and the values of those runs that were at the expected version.
create function flex_append_values(batch jsonb, of_runs uuid[], hashes bytea[], contents bytea[])
returns table (conflicting_run uuid, actual_seq integer) language plpgsql as $$
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

-- Lists of outstanding work walk the work of each queue and of each holder by due time, as far as a page needs.
drop index flex_work_leased;
create index flex_work_leased on flex_work (worker, due_at) where worker is not null;

create function flex_holders() returns setof text language sql stable as $$
  with recursive holders (worker) as (
    (select w.worker from flex_work w where w.worker is not null order by w.worker limit 1)
    union all
    select (select w.worker from flex_work w
            where w.worker is not null and w.worker > holders.worker order by w.worker limit 1)
    from holders where holders.worker is not null)
  select worker from holders where worker is not null
$$;
