"""`flexrun runs import` as a process, against real engines on either broker, with files of an earlier release."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from flexrun.client import GatewayClient
from tests.golden.exports.record import FOLDER
from tests.support.documents import must_be
from tests.support.offline import offline
from tests.support.processes import Setting, Site
from tests.support.run_files import packed, unpacked
from tests.support.sites import CommandLine, reached

DONE, TASK, APPROVE = (FOLDER / f"{name}.jsonl.gz" for name in ("done", "task", "approve"))


def run_of(file: Path) -> str:
    return orjson.loads(unpacked(file.read_bytes())[0])["runId"]


@pytest.fixture
async def site(setting: Setting, tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway, a planner and an executor."""
    site = Site(setting, tmp_path / "site")
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        yield site


@pytest.fixture
def flexrun(site: Site, tmp_path: Path) -> CommandLine:
    return CommandLine(site.urls[0], tmp_path)


async def test_an_imported_run_is_read_and_its_fork_runs(
    site: Site, flexrun: CommandLine, tmp_path: Path
) -> None:
    run_id = run_of(DONE)
    done = await flexrun.run("runs", "import", str(DONE), "--json")
    assert done.code == 0, done.err
    must_be("RunImportReport", done.document)
    assert (done.document["runId"], done.document["stored"]) == (run_id, True)
    again = await flexrun.run("runs", "import", str(DONE))
    assert again.out == f"run {run_id} was imported before, with the same history: nothing was stored\n"
    shown = await flexrun.run("runs", "show", run_id)
    assert "imported" in shown.out
    assert "flexrun 0.1.0: read-only" in shown.out
    replayed = await flexrun.run("runs", "replay", run_id, "--until", "3", "--json")
    assert replayed.document["seq"] == 3
    held = await flexrun.run("runs", "replay", run_id, "--verify")
    assert (held.code, "log, chain and rows agree" in held.out) == (0, True)
    copy = tmp_path / "copy.jsonl.gz"
    await flexrun.run("runs", "export", run_id, "--out", str(copy))
    assert unpacked(copy.read_bytes())[1:] == unpacked(DONE.read_bytes())[1:]
    assert (await offline("verify_run.py", str(copy)))[0] == 0
    forked = await flexrun.run("runs", "fork", run_id, "--json")
    assert forked.code == 0, forked.err
    async with GatewayClient(site.urls[0]) as client:
        await reached(client, forked.document["runId"], "completed")
    compared = await flexrun.run("runs", "diff", forked.document["runId"], "--json")
    assert compared.document["relation"] == "b_from_a"
    verified = await flexrun.run("db", "verify", "--database", site.setting.database_url)
    assert verified.code == 0, verified.out
    operations = await flexrun.run("operations", "list", "--run", run_id, "--json")
    imports = [each for each in operations.document["operations"] if each["action"] == "importRun"]
    assert [each["outcome"] for each in imports] == ["done", "done"]


async def test_an_open_run_that_was_imported_stays_as_it_was(flexrun: CommandLine, setting: Setting) -> None:
    for file, kind in ((TASK, "task"), (APPROVE, "request")):
        run_id = run_of(file)
        assert (await flexrun.run("runs", "import", str(file))).code == 0
        shown = await flexrun.run("runs", "show", run_id, "--json")
        must_be("RunDetail", shown.document)
        assert [each["kind"] for each in shown.document["waitingFor"]] == ["imported"], kind
        refused = await flexrun.run("runs", "abort", run_id, "--yes")
        assert refused.code == 2
        assert "run_imported" in refused.err
        followed = await flexrun.run("runs", "events", run_id, "--follow", "--json")
        assert len(followed.out.splitlines()) == int(shown.document["lastEventId"])
    found = await flexrun.run("runs", "list", "--imported", "--json")
    assert {each["runId"] for each in found.document["runs"]} == {run_of(TASK), run_of(APPROVE)}
    assert (await flexrun.run("runs", "list", "--not-imported", "--json")).document["runs"] == []
    assert (await flexrun.run("runs", "list", "--waiting-for", "task", "--json")).document["runs"] == []
    counted = await flexrun.run(
        "runs", "abort", "--filter", "client=northwind-marketing", "--dry-run", "--json"
    )
    assert counted.document["matched"] == 0
    assert (await flexrun.run("hitl", "list", "--json")).document["requests"] == []
    assert (await flexrun.run("tasks", "list", "--json")).document["tasks"] == []
    rebuilt = await flexrun.run("db", "rebuild", "--database", setting.database_url)
    assert rebuilt.code == 0, rebuilt.err
    assert (await flexrun.run("tasks", "list", "--json")).document["tasks"] == []


async def test_a_bad_file_is_named_with_its_line(flexrun: CommandLine, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl.gz"
    lines = unpacked(DONE.read_bytes())
    bad.write_bytes(packed([*lines[:4], lines[4].replace(b'"seq":4', b'"seq":5'), *lines[5:]]))
    said = await flexrun.run("runs", "import", str(bad))
    assert (said.code, said.out) == (2, "")
    assert "line 5: it has event 5, not event 4" in said.err
    bad.write_bytes(DONE.read_bytes()[:-100])
    assert "the file is not whole" in (await flexrun.run("runs", "import", str(bad))).err
    nowhere = await flexrun.run("runs", "import", str(tmp_path / "nowhere"))
    assert (nowhere.code, "Cannot read" in nowhere.err) == (2, True)
    assert (await flexrun.run("runs", "list", "--json")).document["runs"] == []
