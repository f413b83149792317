"""The file of a run is read in bounded memory, and what is wrong with it is named with its line."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from eventstore.import_file import ExportedRun
from eventstore.import_lines import CAUSES, ImportLimits, ImportRefused
from eventstore.importing import checked_rows
from runs.values import changed
from tests.golden.logs.record import LOGS, read_log
from tests.support.run_files import lines_of, packed, with_members

LIMITS = ImportLimits(bytes=1024 * 1024, events=1_000, line_bytes=64 * 1024)
SCHEMA = 30
LOG = read_log("engine_done")
LINES = lines_of(LOG)
COUNT = len(LOG)


def read(folder: Path, file: bytes, limits: ImportLimits = LIMITS) -> ExportedRun:
    """Read and check all of a file."""
    path = folder / "run.jsonl.gz"
    path.write_bytes(file)
    run = ExportedRun(path, limits, SCHEMA)
    checked_rows(run)
    return run


def replaced(line: int, text: bytes) -> list[bytes]:
    return [text if number == line else each for number, each in enumerate(LINES, 1)]


def with_header(**members: Any) -> bytes:
    return packed(lines_of(LOG, **members))


def event(seq: int, /, **members: Any) -> bytes:
    return orjson.dumps({**orjson.loads(LINES[seq]), **members}, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("hashed_from", [1, 3, 10_000])
def test_a_log_of_any_version_is_read(name: str, hashed_from: int, tmp_path: Path) -> None:
    log = read_log(name)
    run = read(tmp_path, packed(lines_of(log, hashed_from=hashed_from)))
    assert [each.event.type for each in run.events()] == [each.type for each in log]


BAD: dict[str, tuple[bytes, str, int | None]] = {
    "nothing": (b"", "truncated", None),
    "no gzip": (b"\n".join(LINES), "compression", None),
    "nothing in it": (gzip.compress(b""), "header", 1),
    "half of it": (packed(LINES)[: len(packed(LINES)) // 2], "truncated", None),
    "without its last byte": (packed(LINES)[:-1], "truncated", None),
    "a bit of it": (packed(LINES)[:-8] + b"\0" * 8, "compression", None),
    "something after it": (packed(LINES) + b"more", "compression", None),
    "another file after it": (packed(LINES) * 2, "compression", None),
    "without the last line break": (gzip.compress(b"\n".join(LINES)), "truncated", COUNT + 1),
    "no JSON in the header": (packed([b"run", *LINES[1:]]), "header", 1),
    "a list": (packed([b"[]", *LINES[1:]]), "header", 1),
    "a checkpoint": (with_header(format="flexrun-checkpoint"), "header", 1),
    "a later format": (with_header(version=2), "newer", 1),
    "a later schema": (with_header(schema=SCHEMA + 1), "newer", 1),
    "no schema": (with_header(schema=True), "header", 1),
    "no run id": (with_header(runId="x"), "header", 1),
    "no hash": (with_header(headHash="x"), "header", 1),
    "no time": (with_header(exportedAt="today"), "header", 1),
    "no version": (with_header(flexrun="a\nb"), "header", 1),
    "too many events said": (with_header(events=COUNT + 1), "gap", COUNT + 1),
    "too few events said": (with_header(events=COUNT - 1), "gap", COUNT + 1),
    "more events than are taken": (with_header(events=10**9), "too_large", 1),
    "another head": (with_header(headHash="0" * 64), "hash", COUNT + 1),
    "no head": (with_header(headHash=None), "hash", COUNT + 1),
    "another run in the header": (with_header(runId="01900000-0000-7000-8000-00000000000f"), "foreign", 2),
    "no JSON": (packed(replaced(4, b"{")), "event", 4),
    "an empty line": (packed(replaced(4, b"")), "event", 4),
    "a member more": (packed(replaced(4, event(3, more=1))), "event", 4),
    "another order": (
        packed(replaced(4, orjson.dumps(dict(reversed(orjson.loads(LINES[3]).items()))))),
        "event",
        4,
    ),
    "a space": (packed(replaced(4, LINES[3].replace(b":", b": ", 1))), "event", 4),
    "a member twice": (packed(replaced(4, LINES[3].replace(b'"at":', b'"at":1,"at":', 1))), "event", 4),
    "another run in a line": (packed(replaced(4, event(3, runId="x"))), "foreign", 4),
    "a seq of another type": (packed(replaced(4, event(3, seq="3"))), "event", 4),
    "a payload of another type": (packed(replaced(4, event(3, payload=[]))), "event", 4),
    "no time of an event": (packed(replaced(4, event(3, at="soon"))), "event", 4),
    "an event changed": (packed(replaced(4, event(3, message="other"))), "hash", 4),
    "the last event changed": (packed(replaced(COUNT + 1, event(COUNT, message="other"))), "hash", COUNT + 1),
    "an event missing": (packed([*LINES[:3], *LINES[4:]]), "gap", 4),
    "an event twice": (packed([*LINES[:4], *LINES[3:]]), "gap", 5),
    "the end cut off": (packed(LINES[:-2]), "gap", COUNT - 1),
    "only a header": (packed(LINES[:1]), "gap", 1),
    "an event of another version": (with_members(packed(LINES), 3, type="node_blessed"), "unknown_type", 4),
    "a payload that is not its type's": (with_members(packed(LINES), 3, payload={}), "event", 4),
    "a NUL": (with_members(packed(LINES), 3, message="a\0b"), "event", 4),
    "what cannot follow": (with_members(packed(LINES), 4, nodeId="nowhere"), "fold", 5),
    "another count": (with_members(packed(LINES), COUNT, detail={"eventCount": 1}), "count", COUNT + 1),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_refused_with_its_line(what: str, tmp_path: Path) -> None:
    file, cause, line = BAD[what]
    with pytest.raises(ImportRefused) as refused:
        read(tmp_path, file)
    assert (refused.value.cause, refused.value.line) == (cause, line), str(refused.value)
    assert str(refused.value).startswith(f"line {line}: " if line is not None else "")


def test_every_cause_has_its_file() -> None:
    assert {cause for _, cause, _ in BAD.values()} == set(CAUSES) - {"storage", "tenant"}


def test_a_bomb_is_read_no_further_than_its_bounds(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    begin = packer.compress(LINES[0] + b"\n")
    many = begin + b"".join(packer.compress(b"a" * 2**20) for _ in range(200)) + packer.flush()
    for limits, line in (
        (LIMITS, 2),
        (ImportLimits(bytes=10 * 2**20, events=1, line_bytes=2**30), 1),
        (ImportLimits(bytes=10 * 2**20, events=1_000, line_bytes=2**30), 2),
    ):
        with pytest.raises(ImportRefused) as refused:
            read(tmp_path, many, limits)
        assert (refused.value.cause, refused.value.line) == ("too_large", line)


def test_a_long_line_of_many_pieces_is_read(tmp_path: Path) -> None:
    log = [changed(each, message=os.urandom(500_000).hex()) if each.seq == 3 else each for each in LOG]
    limits = ImportLimits(bytes=10 * 2**20, events=100, line_bytes=2 * 2**20)
    run = read(tmp_path, packed(lines_of(log)), limits)
    assert [each.event.message for each in run.events()][2] == log[2].message
