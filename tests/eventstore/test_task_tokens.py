"""A token names its attempt at every process of the installation, and nobody else can make one."""

from __future__ import annotations

import pytest

from eventstore.task_tokens import TaskKey, TaskTokens, TokenForged
from tests.eventstore.conftest import OpenStore

KEY = TaskKey("01900000-0000-7000-8000-000000000001", "draft.a-1_b", 3, "remote/w.1")


async def test_a_token_is_read_by_every_process_of_the_installation(open_store: OpenStore) -> None:
    token = await TaskTokens(await open_store()).sign(KEY)
    assert await TaskTokens(await open_store()).read(token) == KEY


async def test_a_token_that_was_changed_is_none(open_store: OpenStore) -> None:
    tokens = TaskTokens(await open_store())
    token = await tokens.sign(KEY)
    other = await tokens.sign(TaskKey(KEY.run_id, KEY.node_id, KEY.attempt + 1, KEY.worker))
    body, _, signature = token.partition(".")
    changed = [
        other.partition(".")[0] + "." + signature,
        body,
        body + ".",
        "." + signature,
        "",
        "é.é",
        "x" * 5_000,
    ]
    for forged in [*changed, token[:-1], token + "A"]:
        with pytest.raises(TokenForged):
            await tokens.read(forged)
