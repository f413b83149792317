-- Rules of approval: what is proposed in place of what was asked, ends in time that move with a pause, and changes of a
-- request that do not write again what it shows. `flex_append` takes `deadline_at` in `advances`, and the section
-- `request_changes`: the columns of a request that change.

alter table hitl_requests add column proposal jsonb;

comment on column hitl_requests.proposal is 'the edit or answer that the votes are for; null: what was asked at first';

create or replace function flex_append(batch jsonb) returns table (conflicting_run uuid, actual_seq integer)
language plpgsql as $$
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
          deadline_at = coalesce(a.deadline_at, r.deadline_at)
      from jsonb_to_recordset(batch -> 'advances') as a (
        run_id uuid, expected integer, head_seq integer, status text, plan_version integer, updated_at timestamptz,
        output jsonb, error jsonb, completed_at timestamptz, deadline_at timestamptz)
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
    insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                             recorded_at)
    select e.run_id, e.seq, e.type, e.node_id, e.payload, e.detail, e.message, e.plan_version, e.correlation_id,
           e.recorded_at
    from jsonb_to_recordset(batch -> 'events') as e (
      run_id uuid, seq integer, type text, node_id text, payload jsonb, detail jsonb, message text,
      plan_version integer, correlation_id text, recorded_at timestamptz)
    where e.run_id = any (taken);
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

-- The read models beside flex_runs: those sections of a batch that belong to the runs in `taken`.
create or replace function flex_write_rows(batch jsonb, taken uuid[]) returns void
language plpgsql as $$
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
        validation_errors = c.validation_errors, started_at = c.started_at, finished_at = c.finished_at
    from jsonb_populate_recordset(null::flex_plan_nodes, batch -> 'nodes') c
    where n.run_id = c.run_id and n.node_id = c.node_id and n.run_id = any (taken);
  end if;
  if batch ? 'requests' then
    insert into hitl_requests
    select * from jsonb_populate_recordset(null::hitl_requests, batch -> 'requests') q where q.run_id = any (taken)
    on conflict (id) do update
    set status = excluded.status, payload = excluded.payload, votes = excluded.votes, decision = excluded.decision,
        operator = excluded.operator, note = excluded.note, resolved_at = excluded.resolved_at;
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
    select n.run_id, n.kind, n.ref, n.queue, n.attempt, n.started, n.due_at, n.worker,
           clock_timestamp() + make_interval(secs => n.lease_seconds)
    from jsonb_to_recordset(batch -> 'work') as n (
      run_id uuid, kind text, ref text, queue text, attempt integer, started boolean, due_at timestamptz,
      worker text, lease_seconds double precision)
    where n.run_id = any (taken)
    on conflict (run_id, kind, ref) do update
    set queue = excluded.queue, attempt = excluded.attempt, started = excluded.started, due_at = excluded.due_at,
        worker = excluded.worker, lease_until = excluded.lease_until, hinted_at = clock_timestamp();
  end if;
end
$$;
