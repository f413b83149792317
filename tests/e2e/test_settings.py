"""Settings from the environment reach the process that they are for."""

import aiohttp
import pytest

from flexrun.settings import Settings
from tests.support.followers import API
from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, Setting


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://app.example", ["https://app.example"]),
        (" https://app.example , https://other.example,", ["https://app.example", "https://other.example"]),
        ("*", ["*"]),
        ("", []),
    ],
)
def test_a_list_is_written_with_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: list[str]
) -> None:
    monkeypatch.setenv("FLEXRUN_CORS_ORIGINS", text)
    assert Settings().cors_origins == origins
    assert Settings().with_flags(port=1).cors_origins == origins


async def test_a_gateway_lets_the_pages_of_configured_origins_call(
    database_url: str, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    setting = Setting(database_url, extra={"CORS_ORIGINS": "https://app.example,https://other.example"})
    arguments = ["gateway", "--port", str(free_port())]
    gateway = FlexrunProcess("gateway", arguments, setting.environment(), tmp_path_factory.mktemp("cors"))
    try:
        await gateway.start()
        for origin, allowed in (
            ("https://other.example", "https://other.example"),
            ("https://evil.example", None),
        ):
            async with http.get(f"{gateway.url}{API}/runs", headers={"Origin": origin}) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    finally:
        await gateway.stop()
