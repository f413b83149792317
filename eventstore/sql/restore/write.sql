-- restore/write: make the first events of a run those of a file; those that are the same stay untouched. One that was
-- gone gets the commit of the event beside it, behind which webhooks have read already.
insert into flex_events as stored (
  run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id, recorded_at, hash, apart, xid)
select %(run_id)s::uuid, e.seq, e.type, e."nodeId", e.payload, e.detail, e.message, e."planVersion", e."correlationId",
       e.at, decode(e.hash, 'hex'), e.apart,
       coalesce(
         (select b.xid from flex_events b where b.run_id = %(run_id)s and b.seq < e.seq order by b.seq desc limit 1),
         (select b.xid from flex_events b where b.run_id = %(run_id)s and b.seq > e.seq order by b.seq limit 1),
         pg_current_xact_id())
from jsonb_to_recordset(%(events)s::text::jsonb) as e (
  seq integer, type text, "nodeId" text, payload jsonb, detail jsonb, message text, "planVersion" integer,
  "correlationId" text, at timestamptz, hash text, apart jsonb)
order by e.seq
on conflict (run_id, seq) do update set
  type = excluded.type, node_id = excluded.node_id, payload = excluded.payload, detail = excluded.detail,
  message = excluded.message, plan_version = excluded.plan_version, correlation_id = excluded.correlation_id,
  recorded_at = excluded.recorded_at, hash = excluded.hash, apart = excluded.apart
where (stored.type, stored.node_id, stored.payload, stored.detail, stored.message, stored.plan_version,
       stored.correlation_id, stored.recorded_at, stored.hash, stored.apart)
  is distinct from
      (excluded.type, excluded.node_id, excluded.payload, excluded.detail, excluded.message, excluded.plan_version,
       excluded.correlation_id, excluded.recorded_at, excluded.hash, excluded.apart)
