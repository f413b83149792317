"""Who may call processes of flexrun, by their settings: an issuer's tokens."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.support.followers import API
from tests.support.issuer import AUDIENCE, issuer
from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, Setting, Site


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


async def test_settings_of_an_issuer_that_cannot_be_meant_keep_it_from_starting(
    database_url: str, tmp_path: Path
) -> None:
    for told, words in (
        ({"OIDC_ISSUER": "https://id.example"}, "it needs FLEXRUN_OIDC_AUDIENCE"),
        ({"OIDC_ISSUER": "http://id.example", "OIDC_AUDIENCE": "a"}, "the issuer must be an https address"),
        ({"OIDC_ALGORITHMS": "RS256,HS256"}, "FLEXRUN_OIDC_ALGORITHMS"),
    ):
        environment = Setting(database_url, extra=told).environment()
        process = FlexrunProcess(
            f"gateway-{len(words)}", ["gateway", "--port", str(free_port())], environment, tmp_path
        )
        process.launch()
        assert await process.ended() == 2
        assert words in process.last_words()
