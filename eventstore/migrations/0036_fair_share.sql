-- Fair share: work that waits says whose it is, so that tenants are served in turn, each along its own part of an index.

alter table flex_work add column tenant text not null default 'default';

comment on column flex_work.tenant is 'that of the run, for whose turn it is';

update flex_work w set tenant = r.tenant
from flex_runs r
where r.run_id = w.run_id and r.tenant <> 'default';

create index flex_work_free_of_tenant on flex_work (queue, tenant, due_at) where not started and worker is null;

-- The row of a run is there before its work; only while read models are rebuilt it comes with it.
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
