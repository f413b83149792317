"""Secrets come from files, reach no child and no log line, and no error shows them."""

import asyncio
import io
import json
import logging
import sys
from pathlib import Path

import pytest
import structlog

from flexrun.embedded.data_folder import server_environment
from flexrun.logs import configure_logs
from flexrun.secrets import SecretRefused, know_settings
from flexrun.settings import Settings
from sandbox.environment import PASSED_ON, child_environment
from tests.support.cli import run, running
from tests.support.waiting import DEADLINE_SECONDS

PASSWORD = "correct-horse-b4ttery"
DSN = f"postgresql://ann:{PASSWORD}@127.0.0.1:9/flexrun"


@pytest.mark.parametrize("name", ["database_url", "broker_url", "token", "tokens", "link_secret"])
def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    variable = f"FLEXRUN_{name.upper()}"
    monkeypatch.delenv(variable, raising=False)
    file = tmp_path / "secret"
    file.write_text("s3cret-of-the-file\n")
    monkeypatch.setenv(f"{variable}_FILE", str(file))
    found = getattr(Settings(), name)
    assert (found if isinstance(found, str) else found.get_secret_value()) == "s3cret-of-the-file"
    monkeypatch.setenv(variable, "s3cret-of-the-variable")
    with pytest.raises(SecretRefused, match=f"{variable} and {variable}_FILE are both set"):
        Settings()


def test_a_file_that_cannot_be_read_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, words in (("missing", "cannot be read"), ("empty", "is empty"), ("binary", "not UTF-8")):
        monkeypatch.setenv("FLEXRUN_TOKENS_FILE", str(tmp_path / name))
        with pytest.raises(SecretRefused, match=words):
            Settings()


def test_children_get_an_allow_listed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXRUN_TOKENS", "token-of-ann=ann")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    for environment in (child_environment(), server_environment()):
        assert environment.keys() <= {*PASSED_ON, "LC_ALL"}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DATABASE_URL", f"postgresql//ann:{PASSWORD}@db/flexrun"),
        ("DATABASE_URL", f"postgresql://ann:{PASSWORD}/x@db/flexrun"),
        ("DATABASE_URL", f"postgresql://ann:x@{PASSWORD}@db/flexrun"),
        ("DATABASE_URL", f"postgresql://ann:{PASSWORD}@db:port/flexrun"),
        ("DATABASE_URL", f"host=127.0.0.1 port=9 password={PASSWORD} pasword=x"),
        ("BROKER_URL", f"amqp://ann:{PASSWORD}/x@mq"),
        ("BROKER_URL", f"amqp//ann:{PASSWORD}@mq"),
        ("TOKENS", f"{PASSWORD}"),
        ("TOKENS", f'{{"{PASSWORD}": 7}}'),
        ("LINK_SECRET", PASSWORD),
    ],
)
async def test_no_error_at_start_shows_a_secret(variable: str, text: str) -> None:
    settings = {"DATABASE_URL": "postgresql://ann@127.0.0.1:9/flexrun", variable: text}
    done = await run("gateway", "--port", "0", settings=settings)
    assert done.status != 0
    assert "flexrun cannot start" in done.err or "A setting is wrong" in done.err
    assert "Traceback" not in done.err
    for part in (PASSWORD, PASSWORD[:8]):
        assert part not in done.out + done.err


async def test_a_database_that_is_waited_for_is_named_without_its_secrets() -> None:
    async with running("gateway", "--port", "0", settings={"DATABASE_URL": DSN}) as command:
        assert command.process.stderr is not None
        async with asyncio.timeout(2 * DEADLINE_SECONDS):
            line = (await command.process.stderr.readline()).decode()
        command.process.terminate()
        done = await command.done()
    assert "database_away" in line
    assert done.status == 0
    for part in (PASSWORD, PASSWORD[:8]):
        assert part not in line + done.err


async def test_a_short_link_secret_is_refused_at_start() -> None:
    done = await run("gateway", "--port", "0", settings={"DATABASE_URL": DSN, "LINK_SECRET": "a"})
    assert "FLEXRUN_LINK_SECRET is shorter than 32 bytes" in done.err


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_log_redacts_secrets_and_escapes_what_steers_a_terminal(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    know_settings(Settings(database_url=DSN, tokens="token-of-carol=carol"))  # type: ignore[arg-type]
    before = structlog.get_config()
    try:
        configure_logs("info", form)  # type: ignore[arg-type]
        log = structlog.get_logger("test")
        foreign = f"token-of-carol \x1b]0;x\x07 \u202eevil {PASSWORD}"
        log.warning(
            "an_event", reason=foreign, nested={"a": [foreign, b"\xff", object()], foreign: 1}, odd="\ud800"
        )
        try:
            raise ValueError(foreign)
        except ValueError:
            log.exception("it_broke")
        try:
            raise ValueError("x" * 5_000_000)
        except ValueError:
            log.exception("it_broke_with_a_document")
        logging.getLogger("some.library").warning("cannot reach %s (%s)", DSN, foreign)
        logging.getLogger("some.library").warning("cannot read %s", "x" * 5_000_000)
        sys.excepthook(ValueError, ValueError(foreign), None)
        text = written.buffer.getvalue().decode()  # type: ignore[attr-defined]
    finally:
        structlog.configure(**before)
    for secret in ("token-of-carol", PASSWORD, "\u202e", "\x07", "\x1b]", "\ud800"):
        assert secret not in text
    assert text.count("[redacted]") >= 5
    assert "\\u202eevil" in text
    assert "ValueError" in text
    assert max(map(len, text.splitlines())) < 25_000
    assert text.count("characters left out") == 2
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line.get("logger") for line in lines[3:]] == ["some.library", "some.library", None]
        assert lines[-1]["event"] == "unhandled_exception"
