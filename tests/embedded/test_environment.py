"""Whoever may look at Postgres sees none of our settings."""

import asyncio
from pathlib import Path

import psutil
import pytest

from flexrun.embedded.postgres import EmbeddedPostgres


async def test_postgres_cannot_read_our_tokens(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXRUN_TOKENS", "token-of-ann=ann")
    known = {child.pid for child in psutil.Process().children(recursive=True)}
    postgres = EmbeddedPostgres(place / "data")
    await postgres.start()
    try:
        children = await asyncio.to_thread(psutil.Process().children, recursive=True)
        seen = [raw for child in children if child.pid not in known and (raw := _environ(child.pid))]
        assert seen
        assert not any(b"FLEXRUN_" in raw for raw in seen)
    finally:
        await postgres.stop()


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
