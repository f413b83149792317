"""Checkpoints: the heads of all runs at a time, under one signed root. A cut end or a dropped run shows against one.

A checkpoint is a gzip-compressed file of JSON lines: a header, one line for each run, and the seal with the root, the
number of runs, the time and an Ed25519 signature. docs/proof.md describes it; `tools/verify_checkpoint.py` reads it.
Heads are read some thousand runs at a time, each as it is at that moment: memory does not grow with the runs.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from eventstore.connection import Connection
from eventstore.merkle import MerkleTree
from eventstore.statements import statement
from eventstore.whole_runs import FIRST_RUN, connect_for_maintenance
from runs.event import rfc3339
from schemas.canonical_form import canonical_form

FORMAT = "flexrun-checkpoint"
VERSION = 1
RUNS_AT_ONCE = 2_000
_LEVEL = 6


class CheckpointRefused(Exception):
    """A key or a checkpoint that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The last line of a checkpoint: what was signed, and by whom."""

    at: str
    root: str
    runs: int
    public_key: str
    signature: str

    def to_wire(self) -> dict[str, Any]:
        return {
            **_sealed(self.at, self.root, self.runs),
            "publicKey": self.public_key,
            "signature": self.signature,
        }


@dataclass(frozen=True, slots=True)
class Head:
    """A run in a checkpoint: its last event, whose hash is None where it is of a version that had none."""

    run_id: str
    seq: int
    head_hash: str | None

    def to_line(self) -> bytes:
        return canonical_form({"runId": self.run_id, "seq": self.seq, "headHash": self.head_hash})


@dataclass(frozen=True, slots=True)
class Lost:
    """A head of a checkpoint that the log has no more (`there` is False) or with another hash."""

    run_id: str
    seq: int
    there: bool


def read_key(file: Path) -> Ed25519PrivateKey:
    """The key in a PEM file, such as `openssl genpkey -algorithm ed25519` writes. Raises CheckpointRefused."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise CheckpointRefused(f"the key file cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CheckpointRefused(
            "the key file holds no Ed25519 key as PEM without a password;"
            " openssl genpkey -algorithm ed25519 makes one"
        )
    return key


async def write_checkpoint(database_url: str, key: Ed25519PrivateKey, file: BinaryIO) -> Seal:
    """Write a checkpoint of all runs. Raises psycopg.Error, OSError."""
    tree = MerkleTree()
    at = rfc3339(datetime.now(UTC))
    connection = await connect_for_maintenance(database_url)
    try:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL) as packed:
            packed.write(orjson.dumps({"format": FORMAT, "version": VERSION}) + b"\n")
            async with aclosing(_heads(connection)) as pages:
                async for heads in pages:
                    lines = [head.to_line() for head in heads]
                    for line in lines:
                        tree.add(line)
                    packed.write(b"\n".join(lines) + b"\n")
            seal = _sign(key, at, tree)
            packed.write(canonical_form(seal.to_wire()) + b"\n")
    finally:
        await connection.close()
    return seal


async def lost_since(database_url: str, checkpoint: Path) -> AsyncGenerator[list[Lost]]:
    """What the log has no more of a checkpoint, page by page; read `read_seal` first. Raises psycopg.Error."""
    connection = await connect_for_maintenance(database_url)
    page: list[Head] = []
    try:
        for line in _lines(checkpoint):
            if isinstance(line, Head):
                page.append(line)
            if page and (len(page) == RUNS_AT_ONCE or isinstance(line, Seal)):
                yield await _lost(connection, page)
                page = []
    finally:
        await connection.close()


def read_seal(checkpoint: Path, public_key: str | None = None) -> Seal:
    """The seal of a checkpoint that is as it was signed, by `public_key` if one is given. Raises CheckpointRefused."""
    tree, seal = MerkleTree(), None
    for line in _lines(checkpoint):
        if isinstance(line, Seal):
            seal = line
        else:
            tree.add(line.to_line())
    if seal is None:
        raise CheckpointRefused("the checkpoint has no seal: the file is not whole")
    if (seal.root, seal.runs) != (tree.root(), tree.leaves) or not _is_signed(seal):
        raise CheckpointRefused("the checkpoint is not as it was signed")
    if public_key is not None and public_key != seal.public_key:
        raise CheckpointRefused(f"the checkpoint was signed by another key: {seal.public_key}")
    return seal


def _lines(checkpoint: Path) -> Iterator[Head | Seal]:
    try:
        with gzip.open(checkpoint) as packed:
            header = orjson.loads(packed.readline())
            if (header["format"], header["version"]) != (FORMAT, VERSION):
                raise CheckpointRefused(
                    f"this is {header['format']} {header['version']}, not {FORMAT} {VERSION}"
                )
            for line in packed:
                found = orjson.loads(line)
                if "runId" in found:
                    yield Head(found["runId"], found["seq"], found["headHash"])
                else:
                    yield Seal(
                        found["at"], found["root"], found["runs"], found["publicKey"], found["signature"]
                    )
    except OSError as error:
        raise CheckpointRefused(f"the checkpoint cannot be read: {error.strerror or error}") from None
    except (EOFError, ValueError, KeyError, TypeError):
        raise CheckpointRefused("this is no whole checkpoint of flexrun") from None


async def _heads(connection: Connection) -> AsyncGenerator[list[Head]]:
    after = FIRST_RUN
    while True:
        cursor = await connection.execute(
            statement("checkpoint/heads"), {"after": after, "limit": RUNS_AT_ONCE}
        )
        heads = [Head(*row) for row in await cursor.fetchall()]
        if not heads:
            return
        yield heads
        after = heads[-1].run_id


async def _lost(connection: Connection, heads: Sequence[Head]) -> list[Lost]:
    cursor = await connection.execute(
        statement("checkpoint/compare"),
        {
            "run_ids": [head.run_id for head in heads],
            "seqs": [head.seq for head in heads],
            "hashes": [head.head_hash for head in heads],
        },
    )
    return [Lost(*row) for row in await cursor.fetchall()]


def _sealed(at: str, root: str, runs: int) -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION, "at": at, "root": root, "runs": runs}


def _sign(key: Ed25519PrivateKey, at: str, tree: MerkleTree) -> Seal:
    text = canonical_form(_sealed(at, tree.root(), tree.leaves))
    public = key.public_key().public_bytes_raw().hex()
    return Seal(at, tree.root(), tree.leaves, public, key.sign(text).hex())


def _is_signed(seal: Seal) -> bool:
    text = canonical_form(_sealed(seal.at, seal.root, seal.runs))
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(seal.public_key))
        public.verify(bytes.fromhex(seal.signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True
