"""What Postgres does without flexrun: pgbench, making the same insert."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg

from bench.envelopes import three_nodes
from eventstore.batch import DEFAULT_LEASE, encode_events, encode_sections
from eventstore.chain import link
from eventstore.projection import project
from eventstore.values import Splitter
from runs.commands import RecordLog, StartRun
from runs.decide import step
from runs.event import Event
from runs.outstanding import outstanding
from runs.state import RunState, new_run

LINE = "A line of some length, as a capability writes it while it works. " * 5
"""Both sides append this: a payload of about 400 bytes."""

_EXPECTED = 777_000
_RUN_ID = "01900000-0000-7000-8000-00000000777a"
"""Marks in the batch that the script replaces by its own values."""


def flex_append_script() -> str:
    """The call that the engine makes for one `log` event of one run."""
    batch = json.dumps(_batch(_EXPECTED, _RUN_ID))
    template = batch.replace("%", "%%").replace("'", "''")
    for mark, place in ((_RUN_ID, "%1$s"), (str(_EXPECTED + 1), "%3$s"), (str(_EXPECTED), "%2$s")):
        template = template.replace(mark, place)
    return (
        "\\set seq :seq + 1\n"
        f"select conflicting_run::text, actual_seq from flex_append(format('{template}',\n"
        f"  {_RUN_EXPRESSION}, (:seq)::int - 1, (:seq)::int)::jsonb);\n"
    )


def insert_script() -> str:
    """The row alone: into the log, with its keys, indexes and checks; no read models, no version check."""
    payload = orjson.dumps({"level": "info", "message": LINE}).decode().replace(":", ": ")
    return (
        "\\set seq :seq + 1\n"
        "insert into flex_events (run_id, seq, type, payload, message, recorded_at, hash)\n"
        f"values (({_RUN_EXPRESSION})::uuid, (:seq)::int, 'log', '{payload}', '{LINE}', now(), sha256(''));\n"
    )


_RUN_EXPRESSION = "format('01900000-0000-7000-8000-%s', lpad((:client_id)::int::text, 12, '0'))"


def start_runs(database_url: str, count: int) -> None:
    """A begun run for each client of pgbench."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(count):
            run_id = f"01900000-0000-7000-8000-{number:012d}"
            before, events, after = _started(run_id)
            batch = _encoded(before, events, after)
            connection.execute("select * from flex_append(%s::text::jsonb)", (json.dumps(batch),))


async def run_pgbench(
    program: Path, database_url: str, script: Path, *, clients: int, seconds: float
) -> float:
    """Transactions per second. Raises RuntimeError with what pgbench said."""
    process = await asyncio.create_subprocess_exec(
        str(program), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=1",
        f"--time={max(1, round(seconds))}", "--define=seq=1", f"--file={script}", database_url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    found = re.search(rb"tps = ([0-9.]+)", output)
    if process.returncode or found is None:
        raise RuntimeError(f"pgbench failed ({process.returncode}): {(errors or output).decode()[-800:]}")
    return float(found[1])


def _started(run_id: str) -> tuple[RunState, list[Event], RunState]:
    start = StartRun(
        now=datetime.now(UTC), envelope=orjson.loads(three_nodes()), schema_hash="bench", submitted_by=None
    )
    before = new_run(run_id)
    events, after = step(before, [start])
    return before, events, after


def _batch(expected: int, run_id: str) -> dict[str, object]:
    _, _, begun = _started(run_id)
    before = replace(begun, seq=expected)
    events, after = step(before, [RecordLog(now=datetime.now(UTC), message=LINE)])
    return _encoded(before, events, after)


def _encoded(before: RunState, events: list[Event], after: RunState) -> dict[str, object]:
    sections = encode_sections(
        project(before, after, events, outstanding(before), outstanding(after)), DEFAULT_LEASE, Splitter()
    )
    sections["chained"] = link(before.head_hash, encode_events(events)).rows
    return {name: orjson.loads(b"[" + rows + b"]") for name, rows in sections.items()}
