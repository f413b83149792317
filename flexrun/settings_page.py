"""`docs/settings.md`, made from the settings and the flags of the commands.

`python -m flexrun.settings_page` writes it, `python -m flexrun.settings_page --check` fails where it is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flexrun.generated_page import write_or_check
from flexrun.reloading import RELOADED
from flexrun.secrets import SECRETS
from flexrun.settings import Settings
from flexrun.unknown_settings import PREFIX
from gateway.roles import Roles, in_order
from schemas.tokens import Scope

TARGET = Path(__file__).parents[1] / "docs" / "settings.md"

HEAD = f"""# Settings

Generated from `flexrun/settings.py` by `python -m flexrun.settings_page`; do not edit. `flexrun settings` prints it.

A flag wins over the variable, the variable over the default. An empty variable is refused, and so is a `{PREFIX}*`
variable that is not in this list: `flexrun up`, `gateway`, `planner` and `executor` do not start, the other commands
name it and go on. (`{PREFIX}TEST_*` is passed over, and so are the variables that Kubernetes sets for a service called
`flexrun…`.) Durations are in seconds. A variable with ¹ may be in a file: `{PREFIX}TOKENS_FILE=/run/secrets/tokens`.
Those with ² are read again on SIGHUP where a file has them ([operations](operations.md#reading-settings-again)); all
others take a restart.
`flexrun demo` uses none of them.

| variable | flag | default | what it is |
|---|---|---|---|
"""

ROLES = f"""
## Roles

A role is a named set of [scopes](http.md#who-may-call). These are built in; `{PREFIX}ROLES` adds others or puts its
own in their place, and `flexrun config show` prints all of them. With an `@` in front they stand among the roles of
`{PREFIX}TOKENS` (`my-token=ann:@operator,legal`) and of `flexrun tokens create --role @operator`.

| role | scopes |
|---|---|
"""

_NAMED_IN_HELP = re.compile(rf"\({PREFIX}(\w+)\)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: `flag` is "" where there is none, `default` and `what` are texts."""

    variable: str
    flag: str
    default: str
    what: str
    may_be_in_file: bool
    reloads: bool


def described_settings(flags: dict[str, str]) -> list[Setting]:
    """All settings in the order of their definition; `flags` has the flag of a field's name."""
    return [
        Setting(
            PREFIX + name.upper(),
            flags.get(name, ""),
            _default(name, field),
            " ".join((field.description or "").split()),
            name in SECRETS,
            name in RELOADED,
        )
        for name, field in Settings.model_fields.items()
    ]


def _default(name: str, field: FieldInfo) -> str:
    if name == "data":
        return "~/.local/share/flexrun"
    value = (
        field.get_default(call_default_factory=True) if field.default is PydanticUndefined else field.default
    )
    if value is None or value == []:
        return ""
    if isinstance(value, list):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of texts
    return f"{value:g}" if isinstance(value, float) else str(value)


def flags_of(command: Any) -> dict[str, str]:
    """The flags whose help names a variable, `--port` for `port`, of a command and all below it."""
    return {
        found[1].lower(): option.opts[0]
        for option in _options(command)
        if (found := _NAMED_IN_HELP.search(getattr(option, "help", None) or ""))
    }


def _options(command: Any) -> Iterator[Any]:
    yield from command.params
    for each in getattr(command, "commands", {}).values():
        yield from _options(each)


def document() -> str:
    """The whole page."""
    from flexrun.cli import app  # noqa: PLC0415 - `flexrun settings` is part of it, and imports this module

    rows = described_settings(flags_of(typer.main.get_command(app)))
    return HEAD + "".join(map(_row, rows)) + ROLES + "".join(map(_role, Roles().scopes.items()))


def _role(role: tuple[str, frozenset[Scope]]) -> str:
    name, scopes = role
    return f"| `{name}` | {', '.join(f'`{scope}`' for scope in in_order(scopes))} |\n"


def _row(row: Setting) -> str:
    mark = ("¹" if row.may_be_in_file else "") + ("²" if row.reloads else "")
    return f"| `{row.variable}`{mark} | {_code(row.flag)} | {_code(row.default)} | {row.what} |\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"  # noqa: RUF001 - the dash of our tables


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date (exit 1 when not)."""
    return write_or_check(TARGET, document(), "flexrun.settings_page")


if __name__ == "__main__":
    sys.exit(main())
