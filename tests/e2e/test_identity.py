"""Who may call processes of flexrun, by their settings, and over what: an issuer's tokens, TLS."""

from __future__ import annotations

import signal
from pathlib import Path

import aiohttp

from tests.gateway.test_tls import shown
from tests.support.certificates import Authority
from tests.support.followers import API
from tests.support.issuer import AUDIENCE, issuer
from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.sites import EXAMPLES, CommandLine
from tests.support.waiting import eventually


async def test_a_gateway_takes_the_tokens_of_the_issuer_in_its_settings(
    database_url: str, tmp_path: Path
) -> None:
    async with issuer() as ours, aiohttp.ClientSession() as http:
        told = {"OIDC_ISSUER": ours.url, "OIDC_AUDIENCE": f"other,{AUDIENCE}", "OIDC_ALLOW_PRIVATE": "true"}
        site = Site(Setting(database_url, extra=told), tmp_path)
        process = site.add("gateway")
        token = ours.token()
        async with site:
            for bearer, expected in ((token, 200), (ours.token(aud="third"), 401), ("secret", 401)):
                headers = {"Authorization": f"Bearer {bearer}"}
                async with http.get(f"{process.url}{API}/runs", headers=headers) as answer:
                    assert answer.status == expected
            async with http.get(f"{process.url}{API}/runs") as answer:
                assert answer.status == 401
            said = process.last_words(100_000)
            assert token not in said
            assert token.split(".")[1] not in said


async def test_settings_that_cannot_be_meant_keep_it_from_starting(database_url: str, tmp_path: Path) -> None:
    for told, words in (
        ({"OIDC_ISSUER": "https://id.example"}, "it needs FLEXRUN_OIDC_AUDIENCE"),
        ({"OIDC_ISSUER": "http://id.example", "OIDC_AUDIENCE": "a"}, "the issuer must be an https address"),
        ({"OIDC_ALGORITHMS": "RS256,HS256"}, "FLEXRUN_OIDC_ALGORITHMS"),
        ({"CERTIFICATES": "ada=@viewer"}, "it needs FLEXRUN_TLS_CLIENT_CA or FLEXRUN_CERTIFICATE_HEADER"),
        ({"TLS_CLIENT_CA": "/nowhere"}, "it needs FLEXRUN_TLS_CERT"),
        ({"CERTIFICATE_HEADER": "X-Client-DN"}, "it needs FLEXRUN_TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "FLEXRUN_TRUSTED_PROXIES: 10.0.0.1/8 has host bits set"),
    ):
        environment = Setting(database_url, extra=told).environment()
        process = FlexrunProcess(
            f"gateway-{len(words)}", ["gateway", "--port", str(free_port())], environment, tmp_path
        )
        process.launch()
        assert await process.ended() == 2
        assert words in process.last_words()


async def test_tls_from_flags_another_certificate_on_sighup_and_a_client_that_is_told_its_authority(
    database_url: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    served = authority.issue("served")
    told = {"TLS_CERT": str(served.cert), "TLS_KEY": str(served.key), "TOKENS": "secret-of-ada=ada:admin"}
    site = Site(Setting(database_url, extra=told), tmp_path / "site")
    process = site.add("up")
    async with site:
        assert process.url.startswith("https://")
        trusting = {"FLEXRUN_CA_FILE": str(authority.file)}
        command = CommandLine(process.url, tmp_path, "secret-of-ada", **trusting)
        submitted = await command.run("submit", str(EXAMPLES / "linkedin-flat-record.json"), "--json")
        assert submitted.code == 0, submitted.err
        untrusting = await CommandLine(process.url, tmp_path, "secret-of-ada").run("runs", "list")
        assert untrusting.code == 3
        assert "certificate verify failed" in untrusting.err
        nothing = {"FLEXRUN_CA_FILE": str(tmp_path / "nothing")}
        wrong = await CommandLine(process.url, tmp_path, **nothing).run("runs", "list")
        assert (wrong.code, "FLEXRUN_CA_FILE" in wrong.err) == (2, True)
        port = int(process.url.rpartition(":")[2])
        before = await shown(port, authority)
        authority.issue("other").copy_to(served)
        process.send(signal.SIGHUP)

        async def is_another() -> bool:
            return await shown(port, authority) != before

        await eventually(is_another)
        after = await shown(port, authority)
        served.key.write_text("no key")
        process.send(signal.SIGHUP)
        await eventually(lambda: "is no private key in PEM form" in process.last_words(100_000))
        assert await shown(port, authority) == after


async def test_tls_files_that_cannot_be_used_keep_it_from_starting(database_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    for number, (role, told, words) in enumerate(
        [
            ("gateway", {"TLS_CERT": str(one.cert)}, "go together"),
            ("gateway", {"TLS_KEY": str(one.key)}, "go together"),
            ("up", {"TLS_CERT": str(one.cert), "TLS_KEY": str(other.key)}, "is not that of the certificate"),
        ]
    ):
        environment = Setting(database_url, extra=told).environment()
        arguments = [role, "--port", str(free_port())]
        process = FlexrunProcess(f"{role}-{number}", arguments, environment, tmp_path)
        process.launch()
        assert await process.ended() == 2
        assert words in process.last_words()
