-- imports/events: some events of an imported run, as its file has them, each with its hash (null: it has none).
insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id, recorded_at,
                         hash)
select e."runId", e.seq, e.type, e."nodeId", e.payload, e.detail, e.message, e."planVersion",
       e."correlationId", e.at, decode(e.hash, 'hex')
from jsonb_to_recordset(%(events)s::text::jsonb) as e (
  "runId" uuid, seq integer, type text, "nodeId" text, payload jsonb, detail jsonb, message text, "planVersion" integer,
  "correlationId" text, at timestamptz, hash text)
