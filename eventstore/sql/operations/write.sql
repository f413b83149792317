-- operations/write: store operations that have begun or ended, each with all that is known of it by now. One that has
-- ended stays as it is. Of a run that was erased in between, no words are kept.
insert into flex_operations as known (
  operation_id, at, actor, claimed_actor, token_id, action, object_kind, object_id, run_id, outcome, status, code,
  reason, correlation_id, source, forwarded_for, finished_at, tenant)
select
  operation_id, at, actor, claimed_actor, token_id, action, object_kind, object_id, run_id, outcome, status, code,
  reason, correlation_id, source, forwarded_for, finished_at, coalesce(tenant, 'default')
from jsonb_to_recordset(%(rows)s::jsonb) as told (
  operation_id uuid, at timestamptz, actor text, claimed_actor text, token_id uuid, action text, object_kind text,
  object_id text, run_id uuid, outcome text, status integer, code text, reason text, correlation_id text, source text,
  forwarded_for text, finished_at timestamptz,
  tenant text)
on conflict (operation_id) do update
set outcome = excluded.outcome, status = excluded.status, code = excluded.code, finished_at = excluded.finished_at,
    object_kind = excluded.object_kind, object_id = excluded.object_id, run_id = excluded.run_id,
    correlation_id = excluded.correlation_id, tenant = excluded.tenant,
    reason = case when known.action = 'eraseRun' or not exists (
      select from flex_run_keys k where k.run_id = excluded.run_id and k.erased_at is not null) then known.reason end
where known.outcome = 'begun' and excluded.outcome <> 'begun'
