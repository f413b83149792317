"""Recorded runs: `NAME.jsonl` is a log, an event a line; `NAME.json` what it folds to: the state at the end, the
outstanding work after each event, and the frames of the wire.

`python -m tests.golden.logs.record` records the scenarios that have no log yet, and with `--database URL` the runs of a
database, by their labels: `engine_LABEL`. A log that is there is never written again, since it stands for runs that an
earlier release has stored. With `--folded` it writes again what all logs fold to, after a change that was meant; the
difference is to be read.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from eventstore.queries.run_list import RunFilters, list_runs
from eventstore.store import EventStore
from runs.event import Event
from runs.evolve import evolve
from runs.frames import frame
from runs.outstanding import Work, outstanding
from runs.state import new_run

FOLDER = Path(__file__).parent
LOGS = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def read_log(name: str) -> list[Event]:
    """The events of a recorded run."""
    lines = (FOLDER / f"{name}.jsonl").read_bytes().splitlines()
    rows = [orjson.loads(line) for line in lines]
    return [Event(**{**row, "recorded_at": datetime.fromisoformat(row["recorded_at"])}) for row in rows]


def fold(log: list[Event]) -> dict[str, Any]:
    """What a log folds to, as JSON."""
    state = new_run(log[0].run_id)
    work: list[list[str]] = []
    for event in log:
        state = evolve(state, event)
        work.append([_named(each) for each in outstanding(state).values()])
    document = {"state": state, "outstanding": work, "frames": [frame(event) for event in log]}
    return orjson.loads(orjson.dumps(document, default=_plain))


def _named(work: Work) -> str:
    started = "started" if work.started else "free"
    due = f" due {work.due_at.isoformat()}" if work.due_at is not None else ""
    return f"{work.kind} {work.ref} on {work.queue} attempt {work.attempt} {started}{due}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"the state of a run holds a {type(value).__name__}, which is no JSON: {value!r}")


def record(name: str, log: list[Event]) -> None:
    """Write a new log."""
    (FOLDER / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in log))


def write_fold(name: str) -> None:
    """Write what a recorded log folds to."""
    indented = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    (FOLDER / f"{name}.json").write_bytes(orjson.dumps(fold(read_log(name)), option=indented))


async def logs_of(database_url: str) -> dict[str, list[Event]]:
    """The logs of the labelled runs of a database."""
    store = await EventStore.open(database_url)
    try:
        runs = (await list_runs(store, RunFilters())).runs
        return {f"engine_{run.run_label}": await store.read(run.run_id) for run in runs if run.run_label}
    finally:
        await store.close()


def main() -> None:
    from tests.golden.logs.scenarios import SCENARIOS  # noqa: PLC0415 - reading logs needs no commands

    if "--database" in sys.argv:
        found = asyncio.run(logs_of(sys.argv[sys.argv.index("--database") + 1]))
    else:
        found = {name: scenario().log for name, scenario in SCENARIOS.items() if name not in LOGS}
    new = {name: log for name, log in found.items() if name not in LOGS}
    for name, log in new.items():
        record(name, log)
    for name in [*LOGS, *new] if "--folded" in sys.argv else new:
        write_fold(name)


if __name__ == "__main__":
    main()
