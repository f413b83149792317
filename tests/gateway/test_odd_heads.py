"""Heads of requests that no client sends: each gets a problem as its answer, and leaves no secret behind."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable

import pytest

from tests.support.gateways import API, RunningGateway
from tests.support.raw_http import RawAnswer, ask_raw

Start = Callable[..., Awaitable[RunningGateway]]
TOKEN = "token-that-nobody-may-read"
LINK = "eyJyIjoiMDFhMjAzOWYi.c2lnbmF0dXJlLW9mLWEtbGluaw"
PROBLEM = "application/problem+json"
RUN = "0199fa00-0000-7000-8000-000000000000"


def _get(path: bytes, *headers: bytes, method: bytes = b"GET", host: bytes = b"localhost") -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method, path), b"Host: " + host, *headers, b"", b""]
    return b"\r\n".join(lines)


UNREADABLE = {
    "a NUL in a header": _get(b"/healthz", b"X-A: a\0b"),
    "a header without a colon": _get(b"/healthz", b"Authorization Bearer " + TOKEN.encode()),
    "a space before the colon": _get(b"/healthz", b"Authorization : Bearer " + TOKEN.encode()),
    "two lengths": _get(b"/healthz", b"Content-Length: 1", b"Content-Length: 2"),
    "a length that is none": _get(b"/healthz", b"Content-Length: " + b"9" * 400),
    "a header of 9,000 bytes": _get(b"/healthz", b"X-A: " + b"a" * 9_000),
    "a path of 9,000 bytes": _get(b"/hitl/" + LINK.encode() + b"a" * 9_000),
    "200 headers": _get(b"/healthz", *(b"X-%d: a" % number for number in range(200))),
    "another version": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    "bare line feeds in a header": _get(b"/healthz", b"X-A: a\rb"),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_read_is_a_problem_and_no_byte_of_it_is_logged(
    gateway: RunningGateway, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    request = UNREADABLE[name].replace(
        b"\r\n\r\n", b"\r\nAuthorization: Bearer %b\r\n\r\n" % TOKEN.encode(), 1
    )
    answer = await ask_raw(gateway.port, request)
    assert answer.status == 400
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert answer.problem["code"] == "request_unreadable"
    assert answer.headers["server"] == "flexrun"
    assert answer.headers["connection"] == "close"
    said = capfd.readouterr()
    lines = [line for line in (said.out + said.err).splitlines() if "unreadable" in line]
    assert len(lines) == 1
    for secret in (TOKEN, LINK, "HTTP/9.9", "X-A", "aaaa"):
        assert secret not in said.out + said.err
        assert secret.encode() not in answer.body


async def test_a_flood_of_them_does_not_fill_the_log(
    gateway: RunningGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(50):
        assert (await ask_raw(gateway.port, UNREADABLE["a NUL in a header"])).status == 400
    said = capfd.readouterr()
    assert (said.out + said.err).count("request_unreadable") == 10


ODD_PATHS = (
    b"/\xff\xfe",
    b"/%ff%fe",
    b"/%ED%A0%80",
    b"/api/v1/flex/runs/%00",
    b"/api/v1/flex/runs/\xed\xa0\x80",
    b"/api/v1/flex/runs?threadId=%00",
    b"/api/v1/flex/runs?threadId=%ff",
    b"/api/v1/flex/runs?threadId=%ED%A0%80",
    b"/api/v1/flex/runs?label=\xff",
    b"/api/v1/flex/runs?%ff=%ff",
    b"/api/v1/flex/runs?limit=" + b"9" * 6_000,
    b"/api/v1/flex/runs?limit=%D9%A1",
    b"/api/v1/flex/runs?" + b"&".join(b"status=failed" for _ in range(500)),
    b"/api/v1/flex/tasks?role=%00",
    b"/api/v1/flex/tasks/%00",
    b"/api/v1/flex/tasks/x.99999999999999999999-1.a",
    b"/api/v1/flex/tasks/" + RUN.encode() + b".99999999999999999999-1.a",
    b"/api/v1/flex/tasks/" + RUN.encode() + b".1-" + b"9" * 5000 + b".a",
    b"/api/v1/flex/webhooks/%ff",
    b"/api/hitl/pending?role=%ED%A0%80&threadId=%00",
    b"/api/hitl/requests/%00",
    b"/api/hitl/requests/%ED%A0%80",
    b"/hitl/%00",
    b"/hitl/%ED%A0%80",
    b"/hitl/a.b",
    b"http://[::1/healthz",
    b"http://localhost:99999/healthz",
    b"http://user:pass@localhost/healthz",
    b"//healthz",
    b"*",
    b"/healthz#a",
    b"/a/../healthz;x",
    b"/" + b"a/" * 2_000,
)
ODD_HOSTS = (
    b"\xff",
    b"caf\xc3\xa9",
    b"a b",
    b"",
    b"[::1",
    b"localhost:99999999",
    b"localhost:x",
    b"%00",
    b"a" * 400,
    b"a/b",
    b"a@b",
)
ODD_HEADERS = (
    b"Last-Event-ID: \xff",
    b"Last-Event-ID: " + b"9" * 5_000,
    b"Idempotency-Key: \xff",
    b"X-Correlation-Id: \xff\xfe",
    b"Authorization: Bearer \xff",
    b"Authorization: \xff",
    b"Origin: \xff",
    b"Accept: \xff",
    b"Expect: 200-maybe",
    b"Expect: \xff",
    b"Content-Type: \xff/;;=",
    b"Content-Length: 99999999999999999",
    b"Transfer-Encoding: gzip",
    b"Content-Encoding: \xff",
    b"Cookie: \xff=\xff",
    b"Range: bytes=\xff",
    b"If-Modified-Since: \xff",
    b"Upgrade: websocket",
    b"Connection: \xff",
    b"Access-Control-Request-Method: \xff",
)
METHODS = (
    b"GET",
    b"POST",
    b"HEAD",
    b"OPTIONS",
    b"DELETE",
    b"PUT",
    b"PATCH",
    b"TRACE",
    b"PROPFIND",
    b"CONNECT",
)


async def _ask_all(
    gateway: RunningGateway, requests: list[bytes], patience_seconds: float = 10.0
) -> list[RawAnswer]:
    """Twenty at a time."""
    slots = asyncio.Semaphore(20)

    async def ask(request: bytes) -> RawAnswer:
        async with slots:
            return await ask_raw(gateway.port, request, patience_seconds=patience_seconds)

    return await asyncio.gather(*map(ask, requests))


def _check(answer: RawAnswer, request: bytes) -> None:
    assert 200 <= answer.status < 500, (answer.status, request[:300], answer.body[:300])
    assert answer.headers["server"] == "flexrun", request[:300]
    kind = answer.headers.get("content-type", "")
    if answer.status >= 400 and answer.body and not kind.startswith("text/html"):
        assert kind.startswith(PROBLEM), (request[:300], answer)
    if "json" in kind:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


async def test_odd_paths_hosts_headers_and_methods_are_the_callers_mistake(gateway: RunningGateway) -> None:
    requests = [_get(path, method=method) for path in ODD_PATHS for method in METHODS]
    requests += [_get(b"/api/v1/flex/runs", host=host) for host in ODD_HOSTS]
    paths = (
        b"/api/v1/flex/runs",
        b"/api/v1/flex/runs/%b/events" % RUN.encode(),
        b"/api/hitl/pending",
        b"/nowhere",
    )
    for header in ODD_HEADERS:
        requests += [_get(path, header, method=method) for path in paths for method in (b"GET", b"POST")]
    for request, answer in zip(requests, await _ask_all(gateway, requests), strict=True):
        _check(answer, request)


async def test_a_host_that_is_not_utf8_is_400(gateway: RunningGateway) -> None:
    for host in (b"\xff", b"caf\xc3\xa9", b"a b", b"a/b"):
        answer = await ask_raw(gateway.port, _get(b"/api/v1/flex/runs", host=host))
        assert (answer.status, answer.problem["code"]) == (400, "host_invalid"), host


EDGES = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)


async def test_a_cursor_at_the_edge_of_time_is_400_or_an_empty_page(gateway: RunningGateway) -> None:
    for moment in EDGES:
        for path, names in (
            (f"{API}/runs", [RUN]),
            (f"{API}/tasks", [RUN, "a"]),
            ("/api/hitl/pending", ["a"]),
        ):
            cursor = base64.urlsafe_b64encode(" ".join([moment, *names]).encode()).decode()
            answer, _ = await gateway.get(f"{path}?cursor={cursor}")
            assert answer.status in (200, 400), (moment, path)


async def test_random_heads_get_an_answer_and_break_nothing(gateway: RunningGateway) -> None:
    chance = random.Random(20261127)
    seeds = [_get(path, *chance.sample(ODD_HEADERS, 3)) for path in ODD_PATHS for _ in range(4)]
    requests: list[bytes] = []
    for seed in seeds:
        request = bytearray(seed)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(request))
            if chance.random() < 0.5:
                request[place] = chance.randrange(256)
            else:
                request[place:place] = chance.randbytes(chance.randint(1, 5))
        requests.append(bytes(request) + b"\r\n\r\n")
    for request, answer in zip(requests, await _ask_all(gateway, requests, 0.5), strict=True):
        if answer.status:
            _check(answer, request)
    answer, _ = await gateway.get("/healthz")
    assert answer.status == 200


async def test_no_log_line_of_all_this_has_a_secret(
    start_gateway: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = await start_gateway(tokens=f"{TOKEN}=ann")
    secret = b"Authorization: Bearer " + TOKEN.encode()
    requests: list[bytes] = []
    for path in ODD_PATHS:
        requests += [
            _get(path, secret),
            _get(path, secret, b"X-A: \0"),
            _get(b"/hitl/" + LINK.encode() + path),
        ]
        requests.append(_get(path + b"?access_token=" + TOKEN.encode()))
    await _ask_all(gateway, requests)
    said = capfd.readouterr()
    for text in (TOKEN, LINK):
        assert text not in said.out + said.err


@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-proto", "Forwarded", "Via", "X-Real-IP"])
async def test_without_tokens_a_forwarded_request_is_refused(
    gateway: RunningGateway, start_gateway: Start, header: str
) -> None:
    answer, problem = await gateway.get(f"{API}/runs", **{header: "for=192.0.2.1"})
    assert (answer.status, problem["code"]) == (403, "forwarded_not_allowed")
    guarded = await start_gateway(tokens=f"{TOKEN}=ann")
    answer, _ = await guarded.get(
        f"{API}/runs", **{header: "for=192.0.2.1", "Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status == 200
