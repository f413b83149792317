"""Checkpoints on a schedule: restarts do not matter, and a failure is told and stops nothing."""

from __future__ import annotations

import re
import resource
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from psycopg import AsyncConnection
from pydantic import ValidationError

from broker.checkpoints import Checkpoints
from broker.readiness import ReadinessProbe
from eventstore.checkpoint import read_seal
from eventstore.checkpoint_schedule import CheckpointSchedule, newest_checkpoint
from eventstore.operations import OperationFilters, list_operations
from eventstore.store import EventStore
from eventstore.whole_file import whole_file
from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from tests.eventstore.conftest import StartRun
from tests.eventstore.test_checkpoint import key as key  # noqa: PLC0414 - the fixture
from tests.support import cli
from tests.support.waiting import eventually

HOUR = 3_600.0
AGE = """
insert into flex_operations (operation_id, at, actor, action, object_kind, outcome, finished_at)
select gen_random_uuid(), now() - %(hours)s * interval '1 hour', 'keeper', 'writeCheckpoint',
       'checkpoint', 'done', now()
"""


@pytest.fixture
def schedule(tmp_path: Path, key: Path) -> CheckpointSchedule:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return CheckpointSchedule(HOUR, folder, key)


def files(schedule: CheckpointSchedule) -> list[str]:
    return sorted(each.name for each in schedule.folder.iterdir())


async def looked(checkpoints: Checkpoints, store: EventStore) -> None:
    """Look until an attempt has ended."""

    async def over() -> bool:
        await checkpoints.look()
        newest = await newest_checkpoint(store)
        return newest.age_seconds is not None or newest.failure is not None

    await eventually(over)
    await checkpoints.close()


async def test_one_is_written_when_it_is_due_and_not_again_before_the_next(
    store: EventStore, start_run: StartRun, schedule: CheckpointSchedule, database_url: str
):
    run = await start_run()
    await run.to_the_end()
    await looked(Checkpoints(store, schedule), store)
    (name,) = files(schedule)
    assert re.fullmatch(r"checkpoint-\d{8}T\d{6}Z\.jsonl\.gz", name)
    assert read_seal(schedule.folder / name).runs == 1
    done = await cli.run(
        "db", "verify", "--database", database_url, "--checkpoint", str(schedule.folder / name)
    )
    assert done.status == 0, done.out
    again = Checkpoints(store, schedule)  # of the process after a restart
    await looked(again, store)
    assert files(schedule) == [name]
    (operation,) = await list_operations(store, OperationFilters(action="writeCheckpoint"))
    assert (operation.outcome, operation.object_id, operation.actor) == ("done", name, "keeper")


async def test_the_oldest_are_removed_and_nothing_else_in_the_folder(
    store: EventStore, schedule: CheckpointSchedule
):
    old = [f"checkpoint-2026010{day}T000000Z.jsonl.gz" for day in range(1, 4)]
    for name in (*old, "checkpoint-of-mine.jsonl.gz", "notes.txt"):
        (schedule.folder / name).touch()
    await looked(Checkpoints(store, replace(schedule, keep=2)), store)
    left = files(schedule)
    assert left[:1] == old[2:]
    assert left[2:] == ["checkpoint-of-mine.jsonl.gz", "notes.txt"]
    assert len(left) == 4


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda schedule: shutil.rmtree(schedule.folder), "No such file or directory"),
        (lambda schedule: (schedule.folder.rmdir(), schedule.folder.touch()), "Not a directory"),
        (lambda schedule: schedule.key_file.write_text("no key"), "holds no Ed25519 key"),
        (lambda schedule: schedule.key_file.unlink(), "the key file cannot be read"),
    ],
)
async def test_what_is_in_the_way_is_told_and_the_next_attempt_works(
    store: EventStore, schedule: CheckpointSchedule, key: Path, database_url: str, spoil: Any, words: str
):
    pem = key.read_bytes()
    spoil(schedule)
    await looked(Checkpoints(store, schedule), store)
    newest = await newest_checkpoint(store)
    assert newest.age_seconds is None
    assert words in (newest.failure or "")
    assert newest.trouble(HOUR) == "a checkpoint that is due could not be written"
    assert words in await doctor_of_proof(database_url, schedule, status=1)
    key.write_bytes(pem)
    schedule.folder.unlink() if schedule.folder.is_file() else None
    schedule.folder.mkdir(exist_ok=True)
    mended = Checkpoints(store, schedule, retry_seconds=0.01)

    async def written() -> bool:
        await mended.look()
        return (await newest_checkpoint(store)).age_seconds is not None

    await eventually(written)
    await mended.close()
    assert (await newest_checkpoint(store)).trouble(HOUR) is None
    assert len(files(schedule)) == 1


async def doctor_of_proof(
    database_url: str, schedule: CheckpointSchedule, *, status: int | None = None
) -> str:
    """What the doctor says of checkpoints."""
    settings = {
        "DATABASE_URL": database_url,
        "CHECKPOINT_HOURS": "1",
        "CHECKPOINT_FOLDER": str(schedule.folder),
        "CHECKPOINT_KEY_FILE": str(schedule.key_file),
    }
    done = await cli.run("doctor", "--all", settings=settings)
    assert status is None or done.status == status, done.err
    return next(line for line in done.out.splitlines() if "proof" in line)


async def test_one_that_is_late_is_found(
    store: EventStore, schedule: CheckpointSchedule, database: AsyncConnection[Any], database_url: str
):
    await database.execute(AGE, {"hours": 3})
    assert (await newest_checkpoint(store)).trouble(HOUR) == "the newest checkpoint is 3.0 hours old"
    assert "one is due every 1" in await doctor_of_proof(database_url, schedule, status=1)


async def test_health_names_what_is_late_and_stays_ready(
    store: EventStore, schedule: CheckpointSchedule, database: AsyncConnection[Any]
):
    probe = ReadinessProbe(store, None, checkpoints=schedule, fresh_seconds=0)
    assert [part["name"] for part in (await probe.found()).parts()][:3] == ["database", "broker", "work"]
    await database.execute(AGE, {"hours": 3})
    found = await probe.found()
    late = {"name": "checkpoints", "status": "late", "detail": "the newest checkpoint is 3.0 hours old"}
    assert (found.ready, late in found.parts()) == (True, True)
    await probe.close()


async def test_a_process_writes_them_and_tells_how_old_the_newest_is(
    database_url: str, schedule: CheckpointSchedule
):
    settings = Settings(
        database_url=database_url,
        port=0,
        metrics_open=True,
        checkpoint_hours=1,
        checkpoint_folder=schedule.folder,
        checkpoint_key_file=schedule.key_file,
    )
    async with Engine(settings, frozenset(ROLES)) as engine, aiohttp.ClientSession() as http:
        assert engine.server is not None
        url = engine.server.url
        await eventually(lambda: _whole(schedule))

        async def shown() -> bool:
            async with http.get(f"{url}/metrics") as answer:
                text = await answer.text()
            return "flexrun_checkpoint_late 0.0" in text and "flexrun_checkpoint_age_seconds " in text

        await eventually(shown)


async def _whole(schedule: CheckpointSchedule) -> bool:
    return any(name.endswith(".gz") for name in files(schedule))


@pytest.mark.parametrize("missing", ["checkpoint_folder", "checkpoint_key_file"])
def test_a_schedule_needs_a_folder_and_a_key(missing: str):
    given: dict[str, Any] = {"checkpoint_folder": "/x", "checkpoint_key_file": "/y", "checkpoint_hours": 1}
    with pytest.raises(ValidationError, match=f"needs FLEXRUN_{missing.upper()}"):
        Settings(**{**given, missing: None})


def _write_too_much(target: Path) -> None:
    """Write more than a file may have, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    told = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with whole_file(target) as file:
            file.write(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, told)


def test_a_file_that_was_not_written_to_its_end_is_not_there(tmp_path: Path):
    target = tmp_path / "file"
    with pytest.raises(OSError, match="too large"):
        _write_too_much(target)
    assert list(tmp_path.iterdir()) == []
