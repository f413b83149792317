"""Wrong tokens: guessing is slowed for the address that guesses, and for nobody else."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import pytest

from gateway.identity.address import Proxies, ProxiesInvalid, counted
from gateway.identity.attempts import MAX_ADDRESSES, MAX_WRONG, WrongTokens
from gateway.identity.config import OidcConfig
from tests.support.gateways import API, RunningGateway
from tests.support.issuer import AUDIENCE, issuer

Start = Callable[..., Awaitable[RunningGateway]]
RUNS = f"{API}/runs"
TOKENS = "secret-of-ada=ada;secret-of-bob=bob;secret-of-cho=cho"
GUESSES = 10_000
AT_ONCE = 20


async def asked(gateway: RunningGateway, token: str, address: str) -> tuple[int, dict[str, Any], Any]:
    answer, body = await gateway.get(RUNS, Authorization=f"Bearer {token}", X_Forwarded_For=address)
    return answer.status, body, answer.headers


async def test_ten_thousand_wrong_tokens_are_slowed_and_change_nothing_for_others(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(tokens=TOKENS, trusted_proxies=("127.0.0.0/8",))
    guesser, other = "203.0.113.7", "198.51.100.1"
    assert (await asked(gateway, "secret-of-ada", guesser))[0] == 200
    statuses: Counter[int] = Counter()
    numbers = iter(range(GUESSES))
    began = time.monotonic()

    async def guess() -> None:
        for number in numbers:
            status, problem, headers = await asked(gateway, f"guess-{number}", guesser)
            statuses[status] += 1
            if status == 429:
                assert problem["code"] == "too_many_wrong_tokens"
                assert 1 <= int(headers["Retry-After"]) <= 60

    guessing = [asyncio.create_task(guess()) for _ in range(AT_ONCE)]
    good: list[tuple[str, str, int]] = [("secret-of-ada", guesser, 200), ("secret-of-bob", other, 200)]
    rounds = 0
    while not all(task.done() for task in guessing):
        for token, address, expected in good:
            assert (await asked(gateway, token, address))[0] == expected
        rounds += 1
    await asyncio.gather(*guessing)
    seconds = time.monotonic() - began
    assert rounds > 10
    assert set(statuses) == {401, 429}
    assert statuses[401] <= 30 + seconds / 2 + AT_ONCE
    # Not looked at: from there it was never seen.
    assert (await asked(gateway, "secret-of-cho", guesser))[0] == 429
    assert (await asked(gateway, "secret-of-cho", other))[0] == 200
    assert len(gateway.gateway.wrong_tokens) == 1


async def test_the_same_wrong_token_again_is_no_guess(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS, wrong_tokens_a_minute=3)
    for _ in range(20):
        assert (await gateway.get(RUNS, Authorization="Bearer old-token-of-a-worker"))[0].status == 401
    assert (await gateway.get(RUNS, Authorization="Bearer secret-of-ada"))[0].status == 200
    assert (await gateway.get(RUNS))[0].status == 401


async def test_a_proxy_counts_only_where_it_is_trusted(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS, wrong_tokens_a_minute=1)
    found = [(await asked(gateway, f"guess-{number}", f"198.51.100.{number}"))[0] for number in range(5)]
    assert found == [401, 429, 429, 429, 429]


async def test_tokens_of_an_issuer_are_looked_at_while_others_are_not(start_gateway: Start) -> None:
    async with issuer() as ours:
        oidc = OidcConfig(issuer=ours.url, audience=(AUDIENCE,), allow_private=True)
        gateway = await start_gateway(tokens=TOKENS, oidc=oidc, wrong_tokens_a_minute=2)
        wrong = [ours.token(aud=f"other-{number}") for number in range(5)]
        found = [(await gateway.get(RUNS, Authorization=f"Bearer {token}"))[0].status for token in wrong]
        assert found == [401, 401, 429, 429, 429]
        assert (await gateway.get(RUNS, Authorization="Bearer secret-of-ada"))[0].status == 429
        assert (await gateway.get(RUNS, Authorization=f"Bearer {ours.token()}"))[0].status == 200


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def digest(text: object) -> bytes:
    return sha256(str(text).encode()).digest()


def test_after_a_while_an_address_may_try_again() -> None:
    clock = Clock()
    attempts = WrongTokens(6, clock)
    assert [attempts.note_wrong("a", digest(number)) for number in range(8)] == [0] * 6 + [10, 10]
    assert attempts.wait_seconds("a", digest("new")) == 10
    assert attempts.wait_seconds("b", digest("new")) == 0
    clock.now += 4
    assert attempts.wait_seconds("a", digest("new")) == 6
    clock.now += 6
    assert attempts.wait_seconds("a", digest("new")) == 0
    assert attempts.note_wrong("a", digest("new")) == 0
    assert attempts.wait_seconds("a", digest("newer")) == 10
    clock.now += 600
    assert [attempts.note_wrong("a", digest(-number)) for number in range(9)][:6] == [0] * 6


def test_a_good_token_counts_for_an_hour_after_it_was_seen_there() -> None:
    clock = Clock()
    attempts = WrongTokens(1, clock)
    attempts.note_good("a", digest("good"))

    def guessed() -> list[int]:
        attempts.note_wrong("a", digest(clock.now))
        return [attempts.wait_seconds("a", digest(each)) for each in ("good", "other")]

    assert guessed() == [0, 60]
    clock.now = 3_599
    assert guessed() == [0, 60]
    clock.now = 3_700
    assert guessed() == [60, 60]


def test_memory_is_bounded_whatever_comes() -> None:
    attempts = WrongTokens(5, Clock())
    for number in range(2 * MAX_ADDRESSES):
        attempts.note_wrong(f"address-{number}", digest(number))
        attempts.note_good(f"address-{number}", digest(number))
    for number in range(1_000):
        attempts.note_wrong("one", digest(number))
    assert len(attempts) == MAX_ADDRESSES
    assert len(attempts._good) <= MAX_ADDRESSES
    assert len(attempts._guessers["one"].wrong) == MAX_WRONG


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "None"),
        ("", "None"),
        (None, "None"),
    ],
)
def test_an_address_is_counted_by_what_one_caller_has(text: str | None, expected: str) -> None:
    assert counted(text) == expected


def test_a_trusted_proxy_needs_a_network() -> None:
    assert Proxies(["10.0.0.0/8", "2001:db8::/32"]).trusts("2001:db8::1")
    assert not Proxies(["10.0.0.0/8"]).trusts("2001:db8::1")
    assert not Proxies().trusts("127.0.0.1")
    for wrong in ("proxy.example", "10.0.0.1/8", ""):
        with pytest.raises(ProxiesInvalid, match="FLEXRUN_TRUSTED_PROXIES"):
            Proxies([wrong])


@pytest.mark.parametrize(
    ("forwarded", "guilty"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 127.0.0.9, 127.0.0.8", "203.0.113.7"),
        ("203.0.113.7, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
        (", ".join(["203.0.113.7"] + ["127.0.0.1"] * 50), "127.0.0.1"),
    ],
)
async def test_the_last_address_that_no_trusted_proxy_has_is_the_caller(
    start_gateway: Start, forwarded: str, guilty: str
) -> None:
    gateway = await start_gateway(tokens=TOKENS, trusted_proxies=("127.0.0.0/8",))
    assert (await asked(gateway, "a-wrong-token", forwarded))[0] == 401
    assert list(gateway.gateway.wrong_tokens._guessers) == [guilty]
