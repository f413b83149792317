"""A database with very many finished runs: copies of real ones, a hundred days old, not made by the engine."""

from __future__ import annotations

import psycopg

_AT_ONCE = 2_000
_COPY = """
with template as (select run_id from flex_runs where status = 'completed' and created_at > now() - interval '1 d'
                  order by random() limit 1),
made as (select gen_random_uuid() as new_id, (random() * interval '60 d') + interval '100 d' as ago
         from generate_series(1, %(count)s)),
runs as (
  insert into flex_runs
  select (jsonb_populate_record(r, jsonb_build_object(
    'run_id', m.new_id, 'thread_id', m.new_id::text,
    'created_at', r.created_at - m.ago, 'updated_at', r.updated_at - m.ago,
    'completed_at', r.completed_at - m.ago))).*
  from flex_runs r join template t using (run_id) cross join made m),
nodes as (
  insert into flex_plan_nodes
  select (jsonb_populate_record(n, jsonb_build_object('run_id', m.new_id))).*
  from flex_plan_nodes n join template t using (run_id) cross join made m)
insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                         recorded_at)
select m.new_id, e.seq, e.type, e.node_id, e.payload, e.detail, e.message, e.plan_version, e.correlation_id,
       e.recorded_at - m.ago
from flex_events e join template t using (run_id) cross join made m
"""


async def store_runs(database_url: str, count: int) -> None:
    """Add `count` copies of runs that have completed. The log's triggers are off for them: they look at each event."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("set session_replication_role = replica")
        for begun in range(0, count, _AT_ONCE):
            await connection.execute(_COPY, {"count": min(_AT_ONCE, count - begun)})
        await connection.execute("vacuum analyze")
