"""Log lines for readers that vanish or stall while frames are written: one line each, and no traceback."""

import asyncio
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
LINE = "x" * 60_000
RESET = b"\1\0\0\0\0\0\0\0"


@dataclass
class Said:
    """Everything that a process would log: our lines, those of libraries, and errors of the event loop."""

    lines: list[Any] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def streams(self) -> list[Any]:
        """The request lines of streams that were ended early."""
        return [each for each in self.lines if each["event"] == "request" and "ended" in each]

    @property
    def complaints(self) -> list[Any]:
        """The lines that are no plain request lines."""
        loud = [
            each for each in self.lines if each["log_level"] in ("warning", "error") or "exc_info" in each
        ]
        return [*loud, *self.others]


@contextmanager
def everything_said() -> Iterator[Said]:
    """Capture all of it; tasks with unretrieved exceptions log when they are collected."""
    said = Said()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.others.append(self.format(record))

    loop, listener = asyncio.get_running_loop(), Listener(logging.WARNING)
    loop.set_exception_handler(lambda _, context: said.others.append(repr(context)))
    logging.getLogger().addHandler(listener)
    try:
        with capture_logs() as said.lines:
            yield said
            gc.collect()
    finally:
        logging.getLogger().removeHandler(listener)
        loop.set_exception_handler(None)


def _reader(gateway: RunningGateway, run_id: str) -> socket.socket:
    """A client with a small window that has asked for the stream and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.connect(("127.0.0.1", gateway.port))
    head = f"GET {API}/runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    client.sendall(head.encode())
    return client


async def _long_run(gateway: RunningGateway) -> ByHand:
    hand = ByHand(gateway.handler, await gateway.start_run())
    for _ in range(40):
        await hand.log(LINE)
    return hand


@pytest.fixture(params=["reset", "closed"])
def leave(request: pytest.FixtureRequest) -> Callable[[socket.socket], None]:
    """How a reader disconnects."""

    def leave(client: socket.socket) -> None:
        if request.param == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

    return leave


async def test_readers_that_vanish_while_frames_are_written_leave_one_line_each(
    gateway: RunningGateway, leave: Callable[[socket.socket], None]
) -> None:
    hand = await _long_run(gateway)
    with everything_said() as said:
        for _ in range(3):
            clients = [_reader(gateway, hand.run_id) for _ in range(10)]
            await eventually(lambda: len(gateway.gateway.streams) == 10)
            writing = asyncio.create_task(hand.log(LINE))
            for client in clients:
                leave(client)
                await asyncio.sleep(0)
            await writing
            await eventually(lambda: len(gateway.gateway.streams) == 0)
        await eventually(lambda: len(said.streams) == 30)
    assert said.complaints == []
    assert {(each["status"], each["ended"]) for each in said.streams} == {(499, "reader gone")}


async def test_a_stalled_reader_is_called_that_whichever_side_notices(start_gateway: Start) -> None:
    gateway = await start_gateway(stall_seconds=0.4)
    hand = await _long_run(gateway)
    with everything_said() as said:
        clients = [_reader(gateway, hand.run_id) for _ in range(10)]
        await eventually(lambda: len(said.streams) == 10)
        for client in clients:
            client.close()
    assert said.complaints == []
    assert {(each["status"], each["ended"]) for each in said.streams} == {(200, "reader stalled")}
