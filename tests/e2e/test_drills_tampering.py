"""The drill of a log that was changed in the database, with the triggers off: found, named, put back, and proved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flexrun.client import GatewayClient
from tests.support.cli import Done, run
from tests.support.offline import offline
from tests.support.processes import Setting, Site
from tests.support.sites import envelope, reached

EDITED = "update flex_events set payload = payload || '{\"x\": 1}' where run_id = %(run)s and seq = 4"
DELETED = "delete from flex_events where run_id = %(run)s and seq = 4"
INSERTED = """
update flex_events set seq = seq + 1000 where run_id = %(run)s and seq >= 4;
update flex_events set seq = seq - 999 where run_id = %(run)s and seq >= 1000;
insert into flex_events (run_id, seq, type, payload, recorded_at)
select run_id, 4, 'log', '{"level": "info", "message": "I was here"}', recorded_at
from flex_events where run_id = %(run)s and seq = 3
"""
CUT = "delete from flex_events where run_id = %(run)s and seq > 4"

TROUBLES = {
    "edited": (EDITED, (4, "changed")),
    "deleted": (DELETED, (5, "missing")),
    "inserted": (INSERTED, (4, "unhashed")),
    "cut": (CUT, (4, "cut")),
}
"""For a run each: what is done to it, and which event is named first."""

COVERED_UP, UNTOUCHED = "covered up", "untouched"

Found = dict[str, list[tuple[int | None, str]]]


class Kept:
    """Finished runs, and what their operator has kept elsewhere: an export of each, and a checkpoint."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.checkpoint = folder / "checkpoint.jsonl.gz"
        self.runs: dict[str, str] = {}
        self._folder = folder

    def export(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl.gz"

    async def db(self, *words: str) -> Done:
        return await run("db", *words, "--database", self.database_url)

    async def keep(self, url: str, key: Path) -> None:
        """Run, export and seal."""
        async with GatewayClient(url) as client:
            for name in (*TROUBLES, COVERED_UP, UNTOUCHED):
                self.runs[name] = await client.start_run(envelope("linkedin-variants"))
            for name, run_id in self.runs.items():
                await reached(client, run_id, "completed")
                done = await run("runs", "export", run_id, "--out", str(self.export(name)), "--url", url)
                assert done.status == 0, done.err
        sealed = await self.db("checkpoint", "--key", str(key), "--out", str(self.checkpoint))
        assert sealed.status == 0, sealed.err

    async def tamper(self, name: str, statements: str) -> None:
        """As the owner of the database can, with the triggers off."""
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            await connection.execute("set session_replication_role = replica")
            for each in statements.split(";"):
                await connection.execute(each.encode(), {"run": self.runs[name]})

    async def found(self, *words: str) -> Found:
        """What `db verify` says of each run: which events, and what of them."""
        done = await self.db("verify", "--json", *words)
        document: dict[str, Any] = json.loads(done.out)
        assert done.status == (1 if document["findings"] else 0), done.err
        names = {run_id: name for name, run_id in self.runs.items()}
        found: Found = {}
        for each in document["findings"]:
            found.setdefault(names[each["runId"]], []).append((each["seq"], each["cause"]))
        return found


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    made = Ed25519PrivateKey.generate()
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


async def test_what_was_changed_in_the_log_is_named_and_put_back(
    database_url: str, tmp_path: Path, key: Path
) -> None:
    kept = Kept(database_url, tmp_path)
    site = Site(Setting(database_url, lease_seconds=15), tmp_path / "site")
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        await kept.keep(site.urls[0], key)
    assert await kept.found() == {}
    # An end that was cut off, with the rows made to fit: only the checkpoint shows it.
    against = ("--checkpoint", str(kept.checkpoint))
    await kept.tamper(COVERED_UP, CUT)
    assert (await kept.db("rebuild")).status == 0
    assert await kept.found() == {}
    assert (await kept.found(*against)).keys() == {COVERED_UP}
    for name, (statements, _) in TROUBLES.items():
        await kept.tamper(name, statements)
    named = await kept.found(*against)
    assert {name: places[0] for name, places in named.items() if name in TROUBLES} == {
        name: first for name, (_, first) in TROUBLES.items()
    }
    assert [cause for _, cause in named[COVERED_UP]] == ["cut"]
    assert named.keys() == {*TROUBLES, COVERED_UP}
    await _put_back(kept, sorted(named))
    assert await kept.found(*against) == {}


async def _put_back(kept: Kept, names: list[str]) -> None:
    """The export is whole, and the one that the checkpoint knows; then the log is written anew from it."""
    for name in names:
        whole, said = await offline("verify_run.py", str(kept.export(name)))
        assert whole == 0, said
        head_hash = said.split()[-1]
        known, seal = await offline("verify_checkpoint.py", str(kept.checkpoint), kept.runs[name])
        assert (known, head_hash in seal) == (0, True), seal
        file = str(kept.export(name))
        checked = await kept.db("restore", file, "--dry-run", "--head-hash", head_hash)
        assert (checked.status, "nothing was written" in checked.out) == (0, True), checked.err
        restored = await kept.db("restore", file, "--yes", "--head-hash", head_hash, "--json")
        assert restored.status == 0, restored.err
        assert json.loads(restored.out)["runId"] == kept.runs[name]
    assert (await kept.db("rebuild")).status == 0
