"""A database with very many finished runs: copies of real ones, a hundred days old, not made by the engine."""

from __future__ import annotations

import psycopg

_AT_ONCE = 2_000
_COPY = """
with template as (select run_id from flex_runs where status = 'completed' and created_at > now() - interval '1 d'
                  order by random() limit 1),
made as (select overlay(gen_random_uuid()::text placing to_char(1000001 - n, 'FM00000000') from 1 for 8)::uuid
                  as new_id, interval '100 d' + n * interval '1 s' as ago
         from generate_series(%(last)s::integer, %(first)s::integer, -1) n),
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
                         recorded_at, hash)
select m.new_id, e.seq, e.type, e.node_id, e.payload, e.detail, e.message, e.plan_version, e.correlation_id,
       e.recorded_at - m.ago, e.hash
from flex_events e join template t using (run_id) cross join made m
order by m.ago desc, e.seq
"""
"""Ids grow with the time of their run, as the engine's do, and rows are stored in that order."""


async def store_runs(database_url: str, count: int) -> None:
    """Add `count` copies of runs that have completed, the oldest first, as time would have stored them.

    The log's triggers are off for them: they look at each event. Their hashes are those of the runs that they copy.
    """
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("set session_replication_role = replica")
        for left in range(count, 0, -_AT_ONCE):
            await connection.execute(_COPY, {"last": left, "first": max(left - _AT_ONCE, 0) + 1})
        await connection.execute("vacuum analyze")
