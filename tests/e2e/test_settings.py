"""Settings from the environment reach the process that they are for."""

import json

import aiohttp
import pytest
from pydantic import SecretStr

from flexrun import settings_page
from flexrun.engine import Engine
from flexrun.secrets import SECRETS, SecretRefused
from flexrun.settings import Settings
from flexrun.unknown_settings import known_variables, unknown_settings
from tests.support.cli import run
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


def test_the_page_of_settings_has_them_all_and_is_up_to_date() -> None:
    page = settings_page.TARGET.read_text()
    assert page == settings_page.document()
    rows = settings_page.described_settings({})
    assert [row.variable for row in rows] == [f"FLEXRUN_{name.upper()}" for name in Settings.model_fields]
    assert [row.variable for row in rows if not row.what] == []
    flags = ("--database", "--broker", "--data", "--host", "--port", "--url", "--token", "--log-level")
    assert all(f"| `{flag}` |" in page for flag in flags)


async def test_the_settings_are_listed_by_a_command_that_shows_no_values() -> None:
    done = await run("settings", "--json", settings={"TOKENS": "token-of-ann=ann"})
    assert done.status == 0, done.err
    rows = json.loads(done.out)
    assert {row["variable"] for row in rows} == {f"FLEXRUN_{name.upper()}" for name in Settings.model_fields}
    assert {row["flag"] for row in rows if row["variable"] == "FLEXRUN_PORT"} == {"--port"}
    assert "token-of-ann" not in done.out
    assert "flexrun settings" in (await run("up", "--help")).out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLEXRUN_SERVICE_HOST", "10.0.0.1"),
        ("FLEXRUN_SERVICE_PORT_HTTP", "8080"),
        ("FLEXRUN_GATEWAY_SERVICE_PORT", "8080"),
        ("FLEXRUN_GATEWAY_PORT", "tcp://10.0.0.1:8080"),
        ("FLEXRUN_GATEWAY_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("FLEXRUN_TEST_DATABASE_URL", "postgresql://x"),
        ("FLEXRUN_TOKENS", "x"),
        ("PATH", "x"),
    ],
)
def test_variables_of_others_are_no_mistakes(name: str, value: str) -> None:
    known = known_variables(Settings.model_fields, SECRETS)
    assert unknown_settings({name: value}, known) == []
    assert unknown_settings({"FLEXRUN_COLOUR": value}, known) == [
        "FLEXRUN_COLOUR is not a setting; see: flexrun settings"
    ]


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


async def test_pages_of_every_origin_are_refused_at_start_without_tokens(database_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "CORS_ORIGINS": "https://app.example, *"}
    for role in ("gateway", "up"):
        done = await run(role, "--port", "0", settings=settings)
        assert done.status == 2
        assert "refusing to let the pages of every origin call without tokens: set FLEXRUN_TOKENS" in done.err


async def test_an_engine_built_directly_refuses_a_link_secret_that_can_be_guessed(database_url: str) -> None:
    short = Settings(database_url=database_url, port=0, link_secret=SecretStr("short" * 6))
    with pytest.raises(SecretRefused, match="FLEXRUN_LINK_SECRET is shorter than 32 bytes"):
        async with Engine(short, frozenset({"gateway"})):
            pass
    enough = Settings(database_url=database_url, port=0, link_secret=SecretStr("\u00e4" * 16))
    async with Engine(enough, frozenset({"gateway"})) as engine:
        assert engine.server is not None


async def test_a_watchdog_that_would_end_a_process_before_it_warns_is_refused_at_start() -> None:
    done = await run("up", settings={"WATCHDOG_EXIT_SECONDS": "1", "WATCHDOG_WARN_SECONDS": "2"})
    assert done.status == 2
    assert "FLEXRUN_WATCHDOG_EXIT_SECONDS:" in done.err
    assert "longer than FLEXRUN_WATCHDOG_WARN_SECONDS (2 s)" in done.err
