"""TLS at the gateway's own port: what it speaks, other certificates while it serves, and files that cannot be used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.tls import ServerTls, TlsFiles, TlsRefused
from tests.support.certificates import Authority, Pair
from tests.support.gateways import API, ENVELOPE, RunningGateway, SseReader
from tests.support.raw_http import ask_raw

Start = Callable[..., Awaitable[RunningGateway]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def files_of(pair: Pair) -> TlsFiles:
    return TlsFiles(pair.cert, pair.key)


async def shown(port: int, authority: Authority) -> int:
    """The serial number of the certificate that a new connection sees."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.client())
    peer: Any = writer.get_extra_info("peercert")
    writer.close()
    del reader
    return int(peer["serialNumber"], 16)


async def test_another_certificate_is_shown_from_a_reload_on_and_streams_stay_open(
    start_gateway: Start, authority: Authority
) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    tls = ServerTls(files_of(first))
    gateway = await start_gateway(tls=tls)
    assert gateway.url.startswith("https://127.0.0.1:")
    trusting = authority.client()
    async with gateway.http.post(f"{gateway.url}{API}/runs", json=ENVELOPE, ssl=trusting) as answer:
        assert answer.status == 202
        run_id = (await answer.json())["runId"]
    headers = {"Accept": "text/event-stream"}
    url = f"{gateway.url}{API}/runs/{run_id}"
    async with gateway.http.get(f"{url}/events", headers=headers, ssl=trusting) as response:
        stream = await SseReader(response).until(1)
        before = await shown(gateway.port, authority)
        assert tls.reload(files_of(first)) is False
        assert tls.reload(files_of(second)) is True
        after = await shown(gateway.port, authority)
        assert before != after
        async with gateway.http.post(f"{url}/abort", json={}, ssl=authority.client()) as answer:
            assert answer.status == 200
        assert (await stream.to_end()).types[-1] == "complete"


@pytest.mark.filterwarnings(
    "ignore:ssl.TLSVersion:DeprecationWarning"
)  # they are refused, which is the point
async def test_old_versions_and_plain_http_are_refused_and_others_are_served(
    start_gateway: Start, authority: Authority
) -> None:
    gateway = await start_gateway(tls=ServerTls(files_of(authority.issue("one"))))
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = version
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", gateway.port, ssl=old)
    plain = await ask_raw(gateway.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert plain.status == 0
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        new = authority.client()
        new.minimum_version = new.maximum_version = version
        async with gateway.http.get(f"{gateway.url}/healthz", ssl=new) as answer:
            assert answer.status == 200


async def test_a_handshake_that_does_not_come_is_given_up(start_gateway: Start, authority: Authority) -> None:
    gateway = await start_gateway(tls=ServerTls(files_of(authority.issue("one"))), head_seconds=0.5)
    silent = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(50)]
    async with gateway.http.get(f"{gateway.url}/healthz", ssl=authority.client()) as answer:
        assert answer.status == 200
    async with asyncio.timeout(30):
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()


def _wrong(folder: Path, authority: Authority) -> dict[str, tuple[Pair, str]]:
    good, other = authority.issue("good"), authority.issue("other")
    empty, text = folder / "empty", folder / "text"
    empty.write_bytes(b"")
    text.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    large = folder / "large"
    large.write_bytes(b" " * 2_000_000)
    return {
        "no certificate": (Pair(folder / "none", good.key), "none cannot be read: No such file or directory"),
        "no key": (Pair(good.cert, folder / "none"), "none cannot be read: No such file or directory"),
        "a folder": (Pair(folder, good.key), "cannot be read: Is a directory"),
        "an empty certificate": (Pair(empty, good.key), "is no certificate in PEM form"),
        "no PEM": (Pair(text, good.key), "is no certificate in PEM form"),
        "a large file": (Pair(large, good.key), "is larger than"),
        "a certificate as key": (Pair(good.cert, good.cert), "is no private key in PEM form"),
        "the key of another": (Pair(good.cert, other.key), "is not that of the certificate"),
        "an encrypted key": (authority.issue("sealed", passphrase=b"secret"), "is encrypted"),
    }


def test_files_that_cannot_be_used_are_refused_in_words_and_a_reload_keeps_what_was(
    tmp_path: Path, authority: Authority
) -> None:
    tls = ServerTls(files_of(authority.issue("kept")))
    for name, (pair, words) in _wrong(tmp_path, authority).items():
        with pytest.raises(TlsRefused) as refused:
            ServerTls(files_of(pair))
        assert words in str(refused.value), name
        with pytest.raises(TlsRefused):
            tls.reload(files_of(pair))
