"""No webhook reaches the network that flexrun runs in, for any form of URL."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from outbound.guard import ThreadResolver
from schemas.addresses import is_public
from webhooks.config import WebhooksConfig
from webhooks.sender import Sender


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "2606:4700:4700::1111",
    ],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104 - an address to be refused, nothing listens on it
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
        "::ffff:1.1.1.1",
        "::1.1.1.1",
        "::ffff:0:1.1.1.1",
        "64:ff9b::101:101",
        "64:ff9b:1::101:101",
        "64:ff9b:1:ffff::101:101",
        "2002:101:101::1",
        "2001:0:101:101::1",
        "feff::1",
    ],
)
def test_addresses_of_this_machine_and_this_network_and_those_that_stand_for_others_are_not(
    address: str,
) -> None:
    assert not is_public(address)


@pytest.fixture
async def guarded() -> AsyncIterator[Sender]:
    sender = Sender(WebhooksConfig())
    yield sender
    await sender.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "0"]
)
async def test_no_spelling_of_loopback_is_called(guarded: Sender, host: str) -> None:
    connections: list[str] = []

    async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(str(writer.get_extra_info("peername")))
        writer.close()

    async with await asyncio.start_server(note, None, 0, family=socket.AF_INET) as server:
        port = server.sockets[0].getsockname()[1]
        answer = await guarded.post(f"http://{host}:{port}/a", {}, b"{}")
    assert answer.status is None
    assert answer.error is not None
    assert connections == []


async def test_the_refusal_says_how_to_allow_it(guarded: Sender) -> None:
    answer = await guarded.post("http://127.0.0.1:9/", {}, b"{}")
    assert answer.error == (
        "refused: 127.0.0.1 is not a public address; FLEXRUN_WEBHOOK_ALLOW_PRIVATE=true allows it"
    )


async def test_a_name_that_resolves_to_loopback_is_refused_at_the_socket(guarded: Sender) -> None:
    answer = await guarded.post("http://localhost:9/", {}, b"{}")
    assert answer.error is not None
    assert answer.error.startswith("refused: ")


async def test_names_are_resolved_apart_from_the_loop() -> None:
    resolver = ThreadResolver(1)
    found = await resolver.resolve("localhost", 80)
    assert {each["host"] for each in found} <= {"127.0.0.1", "::1"}
    assert {each["port"] for each in found} == {80}
    with pytest.raises(OSError, match=r"not known|resolution"):
        await resolver.resolve("nobody.invalid", 80)
    await resolver.close()
