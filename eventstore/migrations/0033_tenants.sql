-- Tenants: who shares an installation with others. A run's tenant is in its first event where it is not `default`, and once
-- in the read models, in its row; rows of a run have that of the run. A constant default costs no rewriting of a table.

alter table flex_runs add column tenant text not null default 'default';
alter table flex_pruned_runs add column tenant text not null default 'default';
alter table flex_operations add column tenant text not null default 'default';
alter table flex_tokens add column tenant text not null default 'default';
alter table flex_webhooks add column tenant text not null default 'default';
alter table flex_capabilities add column tenant text not null default 'default';
alter table flex_facets add column tenant text not null default 'default';

comment on column flex_runs.tenant is 'to whom it belongs, and all rows of the run with it';
comment on column flex_capabilities.tenant is 'whose runs may use it; default: everybody''s';
comment on column flex_facets.tenant is 'whose runs may use it; default: everybody''s';

-- Lists are of one tenant, newest first.
create index flex_runs_tenant on flex_runs (tenant, created_at, run_id);
create index flex_runs_tenant_status on flex_runs (tenant, status, created_at, run_id);
drop index flex_runs_created;
drop index flex_runs_status;
create index flex_operations_tenant on flex_operations (tenant, operation_id);

create or replace view flex_run_rows as
 select r.run_id, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
        r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at, r.usage,
        r.imported_at, r.erased_at, r.tenant
 from flex_runs r;

create or replace view hitl_request_rows as
select q.id as request_id, q.run_id, q.thread_id, q.node_id, q.kind, q.subject, q.status, q.payload, q.rules, q.votes,
       q.proposal, q.decision, q.operator, q.note, q.created_at, q.expires_at, q.resolved_at,
       r.status as run_status, r.plan_version, r.objective, r.updated_at as run_updated_at,
       coalesce(r.envelope #>> '{metadata,briefId}', r.envelope #>> '{inputs,briefId}') as brief_id, r.client_id, q.apart,
       r.tenant
from hitl_requests q
join flex_runs r on r.run_id = q.run_id;

create or replace view flex_task_rows as
select n.run_id, n.node_id, n.capability_id, n.label, n.attempt, n.context, n.started_at, r.thread_id, r.plan_version,
       r.objective, r.client_id, r.status as run_status, w.due_at as expires_at, r.tenant
from flex_runs r
join flex_plan_nodes n on n.run_id = r.run_id and n.executor_type = 'human'
left join flex_work w on w.run_id = n.run_id and w.kind = 'task_expiry' and w.ref = n.node_id
where n.status = 'awaiting_human' and r.imported_at is null;

-- The tenants that have runs, each found by one look at the index.
create function flex_tenants() returns setof text language sql stable as $$
  with recursive known (tenant) as (
    (select r.tenant from flex_runs r order by r.tenant limit 1)
    union all
    select (select r.tenant from flex_runs r where r.tenant > known.tenant order by r.tenant limit 1)
    from known where known.tenant is not null)
  select tenant from known where tenant is not null
$$;

-- A process of an earlier release says nothing of tenants: its runs belong to the default one.
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

create or replace function flex_prune(of_runs uuid[], ended_before timestamptz, exported_to text,
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
