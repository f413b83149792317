"""Callers whom a certificate names: over TLS at the gateway, and by a header of a trusted proxy."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from gateway.auth import Tokens
from gateway.identity.certificates import Certificates, CertificatesInvalid
from gateway.roles import Roles
from gateway.tls import ServerTls, TlsFiles
from tests.support.certificates import Authority, Pair
from tests.support.gateways import API, ENVELOPE, RunningGateway, SseReader

Start = Callable[..., Awaitable[RunningGateway]]
RUNS = f"{API}/runs"
TOKENS = "secret-of-bob=bob:@auditor"
HEADER = "X-Client-DN"


def known(text: str, **more: Any) -> Certificates:
    return Certificates.parse(text, Roles(), **more)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def serving(authority: Authority) -> ServerTls:
    pair = authority.issue("gateway")
    return ServerTls(TlsFiles(pair.cert, pair.key, authority.file))


async def status(gateway: RunningGateway, authority: Authority, pair: Pair | None, **headers: str) -> int:
    connector = aiohttp.TCPConnector(ssl=authority.client(pair))
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.get(f"{gateway.url}{RUNS}", headers=headers) as answer,
    ):
        return answer.status


async def test_a_certificate_opens_what_its_names_roles_do(
    start_gateway: Start, authority: Authority
) -> None:
    gateway = await start_gateway(
        tls=serving(authority), certificates=known("ada=@developer,legal;eve=@worker"), tokens=TOKENS
    )
    ada, eve, fay = (authority.issue(name) for name in ("ada", "eve", "fay"))
    assert [await status(gateway, authority, each) for each in (ada, eve, fay, None)] == [200, 403, 401, 401]
    assert await status(gateway, authority, ada, Authorization="Bearer wrong-token") == 401
    assert await status(gateway, authority, eve, Authorization="Bearer secret-of-bob") == 200
    trusting = authority.client(ada)
    async with gateway.http.post(f"{gateway.url}{RUNS}", json=ENVELOPE, ssl=trusting) as answer:
        run_id = (await answer.json())["runId"]
    assert (await gateway.store.load(run_id)).submitted_by == "ada"


async def test_a_certificate_of_nobody_we_trust_or_that_has_ended_connects_to_nothing(
    start_gateway: Start, authority: Authority, tmp_path: Path
) -> None:
    gateway = await start_gateway(tls=serving(authority), certificates=known("ada=@viewer"))
    stranger = Authority(tmp_path, "stranger").issue("ada")
    ended = authority.issue("ada", days=-1)
    for pair in (stranger, ended):
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await status(gateway, authority, pair)
    assert await status(gateway, authority, authority.issue("ada")) == 200


async def test_without_authorities_of_clients_a_certificate_says_nothing(
    start_gateway: Start, authority: Authority
) -> None:
    pair = authority.issue("gateway")
    tls = ServerTls(TlsFiles(pair.cert, pair.key))
    gateway = await start_gateway(tls=tls, certificates=known("ada=@viewer"))
    assert await status(gateway, authority, authority.issue("ada")) == 401


@pytest.mark.parametrize(
    ("name_in", "names", "expected"),
    [
        ("uri", [x509.UniformResourceIdentifier("spiffe://acme/reports")], 200),
        ("dns", [x509.DNSName("reports.acme.example")], 200),
        ("email", [x509.RFC822Name("reports@acme.example")], 200),
        ("uri", [x509.DNSName("spiffe.acme.example")], 401),
        ("dns", [x509.DNSName("reports.acme.example"), x509.DNSName("other.example")], 401),
    ],
)
async def test_a_name_may_be_an_alternative_one_and_there_must_be_one_of_them(
    start_gateway: Start, authority: Authority, name_in: Any, names: list[x509.GeneralName], expected: int
) -> None:
    people = "spiffe://acme/reports=@viewer;reports.acme.example=@viewer;reports@acme.example=@viewer"
    certificates = known(people, name_in=name_in)
    gateway = await start_gateway(tls=serving(authority), certificates=certificates)
    assert await status(gateway, authority, authority.issue("ada", also=names)) == expected


async def test_a_trusted_proxy_says_the_name_and_from_elsewhere_the_header_is_refused(
    start_gateway: Start,
) -> None:
    behind = await start_gateway(
        trusted_proxies=("127.0.0.0/8",), certificates=known("ada=@viewer", header=HEADER), tokens=TOKENS
    )
    expected = {
        "CN=ada,O=Acme": 200,
        "O=Acme,CN=ada": 200,
        "ada": 200,
        "CN=eve,O=Acme": 401,
        "CN=ada,CN=eve": 401,
        "O=Acme": 401,
        "/O=Acme/CN=ada": 401,
        "CN=ada\\": 401,
        "": 401,
        "  ": 401,
    }
    for name, status_of_name in expected.items():
        answer, _ = await behind.get(RUNS, **{HEADER: name})
        assert answer.status == status_of_name, name
    twice = [(HEADER, "ada"), (HEADER, "ada")]
    async with behind.http.get(f"{behind.url}{RUNS}", headers=twice) as answer:
        assert answer.status == 401
    elsewhere = await start_gateway(
        trusted_proxies=("10.0.0.0/8",), certificates=known("ada=@viewer", header=HEADER), tokens=TOKENS
    )
    for headers in ({}, {"Authorization": "Bearer secret-of-bob"}, {"X-Forwarded-For": "10.0.0.1"}):
        answer, problem = await elsewhere.get(RUNS, **{HEADER: "ada", **headers})
        assert (answer.status, problem["code"]) == (403, "proxy_not_trusted")
    assert (await elsewhere.get(RUNS, Authorization="Bearer secret-of-bob"))[0].status == 200


async def test_who_is_taken_from_the_list_is_refused_at_once_and_their_streams_end(
    start_gateway: Start, authority: Authority
) -> None:
    gateway = await start_gateway(tls=serving(authority), certificates=known("ada=@developer"))
    tokens = gateway.gateway.deps.tokens
    trusting = authority.client(authority.issue("ada"))
    async with gateway.http.post(f"{gateway.url}{RUNS}", json=ENVELOPE, ssl=trusting) as answer:
        run_id = (await answer.json())["runId"]
    url = f"{gateway.url}{RUNS}/{run_id}/events"
    async with gateway.http.get(url, headers={"Accept": "text/event-stream"}, ssl=trusting) as response:
        stream = await SseReader(response).until(1)
        fewer = Tokens.parse(None)
        fewer.certificates = known("eve=@viewer")
        tokens.replace(fewer)
        await stream.to_end()
    async with gateway.http.get(url, ssl=trusting) as answer:
        assert answer.status == 401


async def test_rules_of_runs_know_people_with_certificates_by_their_roles(
    start_gateway: Start, authority: Authority
) -> None:
    gateway = await start_gateway(
        tls=serving(authority), certificates=known("ada=@developer,legal;eve=@approver,legal")
    )
    rules: dict[str, dict[str, Any]] = {"hitl": {"approvers": ["legal"], "quorum": 2}}
    trusting = authority.client(authority.issue("ada"))
    for quorum, expected in ((2, 202), (3, 400)):
        rules["hitl"]["quorum"] = quorum
        body = {**ENVELOPE, "policies": rules}
        async with gateway.http.post(f"{gateway.url}{RUNS}", json=body, ssl=trusting) as answer:
            assert answer.status == expected, await answer.text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names 0 callers"),
        ("ada", "entry 1 is not name=role1,role2"),
        ("ada=@viewer;eve=", "entry 2 is not name=role1,role2"),
        ("=@viewer", "entry 1 is not"),
        ("ada=@viewer;ada=@admin", "is there twice"),
        ("ada=@root", "has the role @root, and FLEXRUN_ROLES has none"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(CertificatesInvalid, match=words):
        known(text)
