"""What running attempts have made so far reaches those who ask for it, at any gateway, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.checker import ContractChecker
from eventstore.partial_outputs import MAX_CHARS
from eventstore.tidying import tidy
from executor.capability import CapabilityContext
from tests.support.capabilities import FunctionCapability
from tests.support.gateways import RunningGateway, SseReader, running_gateway, stream_of
from tests.support.given import node
from tests.support.no_spare import NO_SPARE
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import ExecutorWiring


class Writer(FunctionCapability):
    """Shows what the test tells it to, and returns when it is told to."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, list[dict[str, Any]]] | None] = asyncio.Queue()
        super().__init__("test.writer", self._write)

    async def _write(self, context: CapabilityContext) -> Any:
        while (piece := await self.told.get()) is not None:
            context.delta(*piece)
        return "written"

    def show(self, text: str, patch: list[dict[str, Any]] | None = None) -> None:
        self.told.put_nowait((text, patch or []))


def text_of(frames: list[dict[str, Any]]) -> str:
    """The text of all frames, each in its place."""
    text = ""
    for frame in frames:
        assert frame["type"] == "node_delta"
        assert "id" not in frame
        piece = frame["payload"].get("text", "")
        assert not piece or frame["payload"]["offset"] == len(text)
        text += piece
    return text


async def until_text(reader: SseReader, text: str) -> None:
    while text_of(reader.pictures) != text:
        assert text.startswith(text_of(reader.pictures))
        await reader.until_pictures(len(reader.pictures) + 1)


async def run_of_writer(executor: ExecutorWiring) -> str:
    return await executor.submit(node("w", capabilityId="test.writer"))


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[RunningGateway]:
    async with (
        ContractChecker(NO_SPARE) as contracts,
        running_gateway(database_url, contracts, notified=True) as opened,
    ):
        yield opened


async def test_a_reader_sees_each_piece_and_one_who_joins_late_all_of_it(
    gateway: RunningGateway, database_url: str, broker_address: BrokerAddress
) -> None:
    writer = Writer()
    async with ExecutorWiring(database_url, [writer], broker_address=broker_address) as executor:
        run_id = await run_of_writer(executor)
        async with stream_of(gateway, run_id, "?deltas=true") as first, stream_of(gateway, run_id) as plain:
            writer.show("Nor")
            await until_text(first, "Nor")
            writer.show("dwind \u2028\x00")
            await until_text(first, "Nordwind \u2028\ufffd")
            head = first.ids[-1]
            async with (
                stream_of(gateway, run_id, "?deltas=true") as late,
                stream_of(gateway, run_id, f"?deltas=true&after={head}") as resumed,
            ):
                await until_text(late, "Nordwind \u2028\ufffd")
                await until_text(resumed, "Nordwind \u2028\ufffd")
                assert late.types[-1] == "node_start"
                writer.show("", [{"op": "add", "path": "/a", "value": 1}])
                await late.until_pictures(len(late.pictures) + 1)
                assert late.pictures[-1]["payload"] == {
                    "attempt": 1,
                    "patch": [{"op": "add", "path": "/a", "value": 1}],
                }
                writer.told.put_nowait(None)
                for reader in (first, plain, late, resumed):
                    await reader.to_end()
                    assert reader.types[-1] == "complete"
            assert plain.pictures == []
            assert plain.ids == late.ids == first.ids == list(range(1, len(plain.ids) + 1))
            assert "node_delta" not in {event.type for event in await executor.events(run_id)}


async def test_pieces_are_joined_and_too_many_are_left_out(
    gateway: RunningGateway, database_url: str
) -> None:
    writer = Writer()
    async with ExecutorWiring(database_url, [writer]) as executor:
        run_id = await run_of_writer(executor)
        async with stream_of(gateway, run_id, "?deltas=true") as reader:
            for _ in range(1_000):
                writer.show("0123456789")
            await until_text(reader, "0123456789" * 1_000)
            assert len(reader.pictures) < 100, "a frame for each piece is no live view, it is a flood"
            writer.show("x" * MAX_CHARS)
            writer.show("end")
            await until_text(reader, "0123456789" * 1_000 + "end")
            writer.told.put_nowait(None)
            await reader.to_end()


async def test_an_attempt_that_runs_again_begins_anew_and_leaves_nothing_behind(
    gateway: RunningGateway, database_url: str
) -> None:
    writer = Writer()
    async with ExecutorWiring(database_url, [writer]) as executor:
        run_id = await run_of_writer(executor)
        async with stream_of(gateway, run_id, "?deltas=true") as reader:
            writer.show("first try")
            await until_text(reader, "first try")
            writer.told.put_nowait((1, 2, 3))  # type: ignore[arg-type] - too many arguments: the attempt fails
            await reader.until_type("node_error")
            reader.pictures.clear()
            writer.show("second")
            await until_text(reader, "second")
            assert reader.pictures[-1]["payload"]["attempt"] == 2
            writer.told.put_nowait(None)
            await reader.to_end()

        await tidy(executor.store, quiet_seconds=0)
        assert await executor.store.fetch("partial/read", {"run_ids": [run_id]}) == []


async def test_a_query_that_is_no_yes_or_no_is_refused(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    answer, problem = await gateway.get(f"/api/v1/flex/runs/{run_id}/events?deltas=1")
    assert (answer.status, problem["code"]) == (400, "query_invalid")
