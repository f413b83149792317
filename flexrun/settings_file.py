"""Settings in a file, `FLEXRUN_SETTINGS_FILE`: lines `FLEXRUN_NAME=value`, in the form of a systemd EnvironmentFile.

Unlike the environment a file can change while a process runs: SIGHUP has it read again, see `flexrun.reloading`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from flexrun.secrets import MAX_FILE_BYTES, SecretRefused
from flexrun.unknown_settings import PREFIX, unknown_settings

VARIABLE = f"{PREFIX}SETTINGS_FILE"


class SettingsFile(PydanticBaseSettingsSource):
    """The values of that file, behind flags and environment. Raises SecretRefused."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of one field; None where the file does not have it."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values of the file."""
        file = os.environ.get(VARIABLE)
        return _read(file, self.settings_cls.model_fields) if file else {}


def values_of(fields: dict[str, FieldInfo]) -> dict[str, str]:
    """The values of the file by the names of fields; {} without a file. Raises SecretRefused."""
    file = os.environ.get(VARIABLE)
    return _read(file, fields) if file else {}


def _read(file: str, fields: dict[str, FieldInfo]) -> dict[str, str]:
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
        lines = raw.decode().splitlines()
    except OSError as error:
        raise SecretRefused(f"{VARIABLE}: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretRefused(f"{VARIABLE}: {file} is not UTF-8 text") from None
    if len(raw) > MAX_FILE_BYTES:
        raise SecretRefused(f"{VARIABLE}: {file} is larger than {MAX_FILE_BYTES} bytes")
    values = dict(
        _pair(file, number, line)
        for number, line in enumerate(map(str.strip, lines), start=1)
        if line and not line.startswith("#")
    )
    known = [PREFIX + name.upper() for name in fields if PREFIX + name.upper() != VARIABLE]
    if unknown := unknown_settings(values, known):
        raise SecretRefused(f"{VARIABLE}: {file}: {unknown[0]}")
    return {
        name: values[PREFIX + name.upper()]
        for name in fields
        if PREFIX + name.upper() in values
    }  # fmt: skip


def _pair(file: str, number: int, line: str) -> tuple[str, str]:
    name, equals, value = line.removeprefix("export ").partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name.startswith(PREFIX):
        raise SecretRefused(f"{VARIABLE}: {file}, line {number} is not {PREFIX}NAME=value")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value
