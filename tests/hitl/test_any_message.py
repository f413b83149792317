"""Random messages and bodies: each is decided or refused with a reason, and none leaves a token behind."""

import random
from collections.abc import Awaitable, Callable

import orjson
import pytest

from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.inboxes import open_inbox
from tests.support.people import SUE, TOKENS, waiting_for_approval
from tests.support.wired_engine import BrokerAddress

Start = Callable[..., Awaitable[RunningGateway]]
TOKEN = b"token-of-bob"
COUNT = 60


def harmed(chance: random.Random, raw: bytes) -> bytes:
    """`raw` with some bytes changed, added or taken away, its token unchanged where that is possible."""
    made = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(made))
        match chance.randrange(3):
            case 0:
                made[place] = chance.choice(b'"\\{}[],:0\x00\xffu\n')
            case 1:
                made[place:place] = chance.randbytes(chance.randint(1, 4))
            case _:
                del made[place : place + chance.randint(1, 8)]
    return bytes(made)


async def test_random_messages_are_refused_without_their_token(
    start_gateway: Start, broker_address: BrokerAddress, capfd: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(20261127)
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, approvers=["editor"])
    response = {"responseType": "approval", "note": "fine"}
    message = {"runId": waiting.run_id, "requestId": waiting.request_id, "responses": [response]}
    raw = orjson.dumps(message | {"token": TOKEN.decode()})
    async with open_inbox(gateway, broker_address) as inbox:
        for _ in range(COUNT):
            await inbox.send(harmed(chance, raw))
        letters = await inbox.dead(COUNT)
    assert len(letters) == COUNT, "bob is no editor: none of them decides"
    for letter in letters:
        assert letter.reason
        assert TOKEN not in letter.body, letter
        assert TOKEN.decode() not in letter.reason
    said = capfd.readouterr()
    assert TOKEN.decode() not in said.out + said.err
    assert await waiting.status() == "awaiting_hitl"


async def test_random_bodies_are_the_callers_mistake(gateway: RunningGateway) -> None:
    chance = random.Random(20261127)
    waiting = await waiting_for_approval(gateway)
    decision = {"runId": waiting.run_id, "requestId": "nobody", "responses": [{"responseType": "approval"}]}
    bodies = {
        f"{API}/runs": ENVELOPE | {"inputs": {"a": [1, "x", None]}, "policies": {"hitl": {"quorum": 2}}},
        "/api/hitl/resume": decision,
        "/api/hitl/remove": {"requestId": "nobody", "reason": "x"},
        "/api/hitl/link": {"requestId": "nobody", "for": "ann", "expiresInSeconds": 60},
        f"{API}/runs/{waiting.run_id}/fork": {"fromNodeId": "a", "inputs": {"a": 1}, "reason": "x"},
        f"{API}/webhooks": {"url": "https://[64:ff9b::1]/", "eventTypes": ["complete"]},
    }
    for path, body in bodies.items():
        for _ in range(COUNT):
            raw = harmed(chance, orjson.dumps(body))
            answer, _ = await gateway.post(path, raw)
            assert answer.status < 500, (path, raw)
