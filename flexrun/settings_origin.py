"""Each setting's value and where it came from, with secrets hidden."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from flexrun.secrets import SECRETS
from flexrun.settings import Settings
from flexrun.settings_file import VARIABLE, values_of
from flexrun.unknown_settings import PREFIX
from schemas.base import Model
from schemas.redaction import redact

HIDDEN = "********"

Origin = Literal["flag", "environment", "file", "default"]


class SettingValue(Model):
    """A setting: `value` as text, null where it is unset; of a secret only that there is one."""

    name: str
    variable: str
    value: str | None = None
    origin: Origin
    file: str | None = None
    secret: bool


class ConfigReport(Model):
    """The document that `flexrun config show --json` prints. `unknown` are variables that are no settings."""

    settings: list[SettingValue]
    unknown: list[str]


def settings_with_origin(settings: Settings, flags: Mapping[str, Any]) -> list[SettingValue]:
    """All settings in the order of their definition; `flags` are those that were given."""
    from_file = values_of(Settings.model_fields)
    return [_setting(name, getattr(settings, name), flags, from_file) for name in Settings.model_fields]


def _setting(name: str, value: Any, flags: Mapping[str, Any], from_file: Mapping[str, str]) -> SettingValue:
    variable = PREFIX + name.upper()
    file = os.environ.get(f"{variable}_FILE") if name in SECRETS else None
    origin: Origin = "default"
    if flags.get(name) is not None:
        origin, file = "flag", None
    elif variable in os.environ:
        origin = "environment"
    elif file is not None:
        origin = "file"
    elif name in from_file:
        origin, file = "file", os.environ.get(VARIABLE)
    shown = _roles(value) if name == "roles" else _shown(name, value)
    return SettingValue(
        name=name, variable=variable, value=shown, origin=origin, file=file, secret=name in SECRETS
    )


def _shown(name: str, value: Any) -> str | None:
    if value is None or value == []:
        return None
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of texts
    return _without_password(str(value)) if name in SECRETS else redact(str(value))


def _roles(value: str | None) -> str | None:
    """All roles that are there then, since those that are built in are too; a setting that is none as it is."""
    from gateway.roles import Roles, RolesInvalid  # noqa: PLC0415 - slow to import

    try:
        return Roles.parse(value).text()
    except RolesInvalid:
        return value


def _without_password(address: str) -> str:
    """An address with its password hidden; all of it where it is in another form."""
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        return HIDDEN
    if not parts.scheme or not parts.netloc:
        return address if "=" not in address else HIDDEN
    if password is not None:
        account, _, hosts = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{account.partition(':')[0]}:{HIDDEN}@{hosts}")
    if "password" in parts.query:
        parts = parts._replace(query=HIDDEN)
    return urlunsplit(parts)
