"""`flexrun config show`: where each value came from, and no secret in it."""

from __future__ import annotations

from pathlib import Path

import orjson

from flexrun.settings import Settings
from flexrun.settings_origin import HIDDEN, ConfigReport
from tests.support.cli import run


async def test_each_value_says_where_it_came_from_and_no_secret_is_shown(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("token-of-ann=ann:admin")
    settings = {
        "PORT": "9090",
        "BROKER_URL": "amqp://user:hidden-password@broker.example:5672/v",
        "TOKENS_FILE": str(tokens),
        "LINK_SECRET": "s" * 40,
        "PROT": "1",
    }
    flags = (
        "--database",
        "postgresql://flexrun:other-password@db.example/flexrun",
        "--token",
        "token-of-bob",
    )
    done = await run("config", "show", "--json", *flags, settings=settings)
    assert done.status == 0, done.err
    document = orjson.loads(done.out)
    ConfigReport.model_validate(document)
    shown = {each["name"]: each for each in document["settings"]}
    assert list(shown) == list(Settings.model_fields)
    assert {name: (shown[name].get("value"), shown[name]["origin"]) for name in ("port", "host", "token")} == {
        "port": ("9090", "environment"), "host": ("127.0.0.1", "default"), "token": (HIDDEN, "flag"),
    }  # fmt: skip
    assert shown["tokens"] == {
        "name": "tokens", "variable": "FLEXRUN_TOKENS", "value": HIDDEN, "origin": "file", "secret": True,
        "file": str(tokens),
    }  # fmt: skip
    assert shown["broker_url"]["value"] == f"amqp://user:{HIDDEN}@broker.example:5672/v"
    assert shown["database_url"]["value"] == f"postgresql://flexrun:{HIDDEN}@db.example/flexrun"
    assert "PORT" in document["unknown"][0]
    table = await run("config", "show", *flags, settings=settings)
    for secret in ("hidden-password", "other-password", "token-of-", "ssss"):
        assert secret not in done.out + table.out
    assert any(line.split() == ["FLEXRUN_PORT", "9090", "environment"] for line in table.out.splitlines())
