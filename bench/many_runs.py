"""A database with very many runs, each with a node and, where it is open, its work: rows of the read models only."""

from __future__ import annotations

import psycopg

_AT_ONCE = 100_000

_RUNS = """
insert into flex_runs (run_id, status, head_seq, objective, thread_id, envelope, error, client_id, run_label,
                       submitted_by, created_at, updated_at, completed_at)
select gen_random_uuid(), s.status, 6, 'Write ' || n || case when n %% 100000 = 7 then ' about Saturn' else '' end,
       'thread ' || n / 5, '{}',
       case when s.status = 'failed' then jsonb_build_object('code', 'code-' || n %% 50, 'message', 'm') end,
       'client-' || n %% 200, 'label-' || n %% 5000, 'person-' || n %% 100,
       now() - n * interval '1 s', now() - n * interval '1 s',
       case when s.status in ('completed', 'failed', 'aborted') then now() - n * interval '1 s' end
from generate_series(%(first)s::bigint, %(last)s::bigint) n
cross join lateral (
  select case when n %% 1000 = 0 then 'running' when n %% 1000 = 1 then 'awaiting_hitl' when n %% 1000 = 2 then 'paused'
              when n %% 50 = 3 then 'failed' when n %% 200 = 4 then 'aborted' else 'completed' end as status
) s
"""
_NODES = """
insert into flex_plan_nodes (run_id, node_id, ordinal, capability_id, kind, label, queue, executor_type, depends_on,
                             status, attempt, failures, losses, run_created_at)
select r.run_id, 'a', 0, 'capability.' || extract(epoch from r.created_at)::bigint %% 400, 'execution', 'A', 'default',
       'ai', '[]', 'ready', 0, 0, 0, r.created_at
from flex_runs r
"""
_WORK = """
insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at, worker, lease_until)
select r.run_id, 'node', 'a', 'node.default', 1, n %% 4 = 0, now() + (n %% 4 - 2) * interval '1 d',
       case n %% 4 when 0 then 'w' when 1 then 'limit/capability.1' end,
       case when n %% 4 < 2 then now() + interval '1 d' end
from (select run_id, row_number() over (order by created_at) as n from flex_runs where status = 'running') r
"""
_REQUESTS = """
insert into hitl_requests (id, run_id, thread_id, kind, subject, status, payload, rules, votes, created_at)
select run_id, run_id, thread_id, 'approval', 'output', 'open', '{}', '{}', '[]', created_at
from flex_runs where status = 'awaiting_hitl'
"""


async def fill(database_url: str, runs: int) -> None:
    """Add `runs` runs, a second apart, the newest of now."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("set session_replication_role = replica")
        for first in range(0, runs, _AT_ONCE):
            await connection.execute(_RUNS, {"first": first, "last": min(first + _AT_ONCE, runs) - 1})
        for statement in (_NODES, _WORK, _REQUESTS):
            await connection.execute(statement, {})
        await connection.execute("vacuum analyze")
