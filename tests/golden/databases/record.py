"""Make a dump of a database with finished and open runs, by the code that is imported: `python -m
tests.golden.databases.record FILE`. Run at a release, its dump is what a later one has to migrate
(tests/e2e/test_old_database.py).

Transaction ids are renumbered from 1, so that they are older than those of any cluster that the dump is restored into.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg

from flexrun.client import API, GatewayClient
from flexrun.embedded.binaries import choose_binaries
from flexrun.embedded.postgres import EmbeddedPostgres
from flexrun.engine import Engine
from flexrun.settings import Settings
from tests.support.sites import reached

EXAMPLES = Path(__file__).parents[3] / "examples"
NOISE = re.compile(r"^(--.*|SET .*;|SELECT pg_catalog\.set_config\(.*|\\(un)?restrict .*)\n", re.MULTILINE)
NO_RECEIVER = "http://127.0.0.1:9/old"
RENUMBER = """
set session_replication_role = replica;
create temporary table numbers as
  select xid, row_number() over (order by xid) as number from (select distinct xid from flex_events) as each;
update flex_webhooks h set
  fed_xid = (select coalesce(max(number), 0) from numbers n where n.xid <= h.fed_xid)::text::xid8,
  created_in = (select concat(1 + count(*), ':', 1 + count(*), ':') from numbers n
                where pg_visible_in_snapshot(n.xid, h.created_in))::pg_snapshot;
update flex_events e set xid = n.number::text::xid8 from numbers n where n.xid = e.xid;
"""


def envelope(example: str, label: str, **policies: Any) -> bytes:
    document = orjson.loads((EXAMPLES / f"{example}.json").read_bytes())
    document["policies"] = {**document.get("policies", {}), **policies}
    document["metadata"] = {**document.get("metadata", {}), "runLabel": label}
    return orjson.dumps(document)


async def started(client: GatewayClient, status: str, example: str, label: str, **policies: Any) -> str:
    """A run in this status; its label says in the later test how it is to end."""
    run_id = await client.start_run(envelope(example, label, **policies))
    await reached(client, run_id, status)
    return run_id


async def approve(client: GatewayClient, run_id: str, operator: str) -> None:
    (request,) = (await client.call("GET", f"/api/hitl/pending?runId={run_id}"))["requests"]
    response = {"requestId": request["requestId"], "responseType": "approval"}
    decision = {"runId": run_id, "operator": operator, "responses": [response]}
    await client.call("POST", "/api/hitl/resume", decision)


async def make_runs(client: GatewayClient) -> None:
    """Everything but the work that waits for a planner."""
    await client.call(
        "POST", f"{API}/webhooks", {"url": NO_RECEIVER, "eventTypes": ["complete", "hitl_request"]}
    )
    await started(client, "completed", "linkedin-flat-record", "done")
    await started(client, "failed", "infeasible", "refused")
    asked = "linkedin-approval"
    await started(client, "awaiting_hitl", asked, "approve")
    voted = await started(client, "awaiting_hitl", asked, "vote", hitl={"quorum": 2})
    await approve(client, voted, "ann")
    paused = await started(client, "awaiting_hitl", asked, "resume")
    await client.call("POST", f"{API}/runs/{paused}/pause", {"reason": "wrong audience", "operator": "ann"})
    expiry = {"expiresInSeconds": 60, "onExpiry": "approve"}
    await started(client, "awaiting_hitl", asked, "expire", hitl=expiry)
    await started(client, "awaiting_human", "linkedin-flat-record", "task", humanReview=True)


async def run_engines(url: str) -> None:
    settings = Settings(database_url=url, port=0, broker_url="postgres", stop_notice_seconds=0)
    async with Engine(settings, frozenset({"gateway", "planner", "executor"})) as engine:
        assert engine.server is not None
        async with GatewayClient(engine.server.url) as client:
            await make_runs(client)
    async with Engine(settings, frozenset({"gateway"})) as engine:
        assert engine.server is not None
        async with GatewayClient(engine.server.url) as client:
            await started(client, "pending", "linkedin-flat-record", "plan")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(RENUMBER)


async def dumped(folder: Path) -> str:
    """The dump as statements that psycopg can run."""
    binaries = choose_binaries(None)
    postgres = EmbeddedPostgres(folder, binaries=binaries)
    url = await postgres.start()
    try:
        await run_engines(url)
        flags = ["--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges"]
        command = [str(binaries.bin_dir / "pg_dump"), *flags, f"--dbname={url}"]
        dump = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    finally:
        await postgres.stop()
    text = NOISE.sub("", dump.stdout).replace(socket.gethostname(), "host")
    return "SET check_function_bodies = false;\n" + re.sub(r"\n{3,}", "\n\n", text)


def main() -> None:
    folder = Path(tempfile.gettempdir()) / f"flexrun-dump-{uuid4()}"
    try:
        Path(sys.argv[1]).write_text(asyncio.run(dumped(folder)), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
