"""Checkpoints: what a chain alone does not show, a cut end or a dropped run, shows against one."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg import AsyncConnection

from eventstore import checkpoint as checkpoints
from eventstore.merkle import MerkleTree
from tests.eventstore.conftest import StartRun
from tests.support import cli
from tests.support.offline import offline

CUT = """
with cut as (delete from flex_events where run_id = %(run)s and seq > 2),
     nodes as (delete from flex_plan_nodes where run_id = %(run)s),
     work as (delete from flex_work where run_id = %(run)s)
update flex_runs set head_seq = 2, status = 'planning', output = null, completed_at = null where run_id = %(run)s
"""
DROPPED = """
with events as (delete from flex_events where run_id = %(run)s),
     nodes as (delete from flex_plan_nodes where run_id = %(run)s),
     work as (delete from flex_work where run_id = %(run)s)
delete from flex_runs where run_id = %(run)s
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    made = Ed25519PrivateKey.generate()
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


@pytest.fixture
async def runs(start_run: StartRun) -> list[str]:
    """Three runs, the second of which has completed."""
    started = [await start_run() for _ in range(3)]
    await started[1].to_the_end()
    return [run.run_id for run in started]


async def written(database_url: str, key: Path, file: Path) -> dict[str, Any]:
    """A checkpoint that the command made; its seal."""
    done = await cli.run(
        "db", "checkpoint", "--json", "--database", database_url, "--key", str(key), "--out", str(file)
    )
    assert done.status == 0, done.err
    return json.loads(done.out)


async def verified(database_url: str, file: Path, *more: str) -> cli.Done:
    return await cli.run(
        "db", "verify", "--json", "--database", database_url, "--checkpoint", str(file), *more
    )


def test_the_tree_is_that_of_the_rfc():
    def expected(leaves: list[bytes]) -> bytes:
        if len(leaves) < 2:
            return sha256(b"\0" + leaves[0]).digest() if leaves else sha256(b"").digest()
        half = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\1" + expected(leaves[:half]) + expected(leaves[half:])).digest()

    for count in range(20):
        leaves = [str(number).encode() for number in range(count)]
        tree = MerkleTree()
        for leaf in leaves:
            tree.add(leaf)
        assert tree.root() == expected(leaves).hex(), count


async def test_a_checkpoint_has_all_runs_and_stands_the_test_without_flexrun(
    runs: list[str], database_url: str, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checkpoints, "RUNS_AT_ONCE", 2)
    file = tmp_path / "c.gz"
    seal = await written(database_url, key, file)
    assert (seal["runs"], seal["file"]) == (3, str(file))
    done = await verified(database_url, file, "--public-key", seal["publicKey"])
    assert (done.status, json.loads(done.out)["checkpoint"]["root"]) == (0, seal["root"]), done.err
    status, said = await offline("verify_checkpoint.py", str(file), runs[1])
    assert status == 0, said
    assert f"run {runs[1]}: event " in said
    assert f"3 runs, root {seal['root']}, signed by {seal['publicKey']}" in said


@pytest.mark.parametrize(("statement", "cause"), [(CUT, "cut"), (DROPPED, "cut")])
async def test_what_the_chain_alone_does_not_show_is_found(
    runs: list[str],
    database: AsyncConnection[Any],
    database_url: str,
    key: Path,
    tmp_path: Path,
    statement: str,
    cause: str,
):
    file = tmp_path / "c.gz"
    await written(database_url, key, file)
    await database.execute("set session_replication_role = replica")
    await database.execute(statement.encode(), {"run": runs[1]})
    done = await verified(database_url, file)
    assert done.status == 1
    found = [each for each in json.loads(done.out)["findings"] if each["seq"] is not None]
    assert [(each["runId"], each["cause"]) for each in found] == [(runs[1], cause)]


async def test_runs_that_went_on_and_runs_that_were_removed_after_their_time_are_not_missing(
    runs: list[str],
    start_run: StartRun,
    database: AsyncConnection[Any],
    database_url: str,
    key: Path,
    tmp_path: Path,
):
    file = tmp_path / "c.gz"
    await written(database_url, key, file)
    await (await start_run()).to_the_end()
    await database.execute("select flex_prune(%s::uuid[], now() + interval '1 d', null)", ([runs[1]],))
    done = await verified(database_url, file)
    assert (done.status, json.loads(done.out)["findings"]) == (0, [])
    await database.execute("update flex_pruned_runs set head_hash = sha256('')")
    done = await verified(database_url, file)
    assert [each["cause"] for each in json.loads(done.out)["findings"]] == ["cut"]


async def test_a_checkpoint_that_was_changed_is_refused(
    runs: list[str], database_url: str, key: Path, tmp_path: Path
):
    file = tmp_path / "c.gz"
    seal = await written(database_url, key, file)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    head = orjson.loads(lines[1])
    changed = orjson.dumps({**head, "seq": head["seq"] + 1}, option=orjson.OPT_SORT_KEYS) + b"\n"
    for wrong, words in (
        ([*lines[:1], changed, *lines[2:]], "not as it was signed"),
        ([lines[0], *lines[2:]], "not as it was signed"),
        (lines[:-1], "no seal"),
        ([b'{"format": "other", "version": 1}\n', *lines[1:]], "this is other 1"),
        ([b"x\n"], "no whole checkpoint"),
    ):
        file.write_bytes(gzip.compress(b"".join(wrong)))
        done = await verified(database_url, file)
        assert (done.status, words in done.err) == (1, True), done.err
    file.write_bytes(gzip.compress(b"".join([*lines[:1], changed, *lines[2:]])))
    assert await offline("verify_checkpoint.py", str(file)) == (1, "the checkpoint is not as it was signed\n")
    file.write_bytes(gzip.compress(b"".join(lines)))
    other = await verified(database_url, file, "--public-key", "00" * 32)
    assert (other.status, seal["publicKey"] in other.err) == (1, True)


async def test_a_key_that_is_none_is_refused(database_url: str, tmp_path: Path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("x")
    for key in (wrong, tmp_path / "none.pem"):
        done = await cli.run("db", "checkpoint", "--database", database_url, "--key", str(key))
        assert (done.status, "key file" in done.err) == (2, True), done.err
    done = await cli.run("db", "checkpoint", "--database", database_url)
    assert (done.status, "FLEXRUN_CHECKPOINT_KEY_FILE" in done.err) == (2, True)
