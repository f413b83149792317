"""The settings that are secrets: read from files, known to the redaction of logs, and never part of an error.

`FLEXRUN_TOKENS_FILE=/run/secrets/tokens` is read where `FLEXRUN_TOKENS` would have been; so for each name in SECRETS.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from schemas.redaction import know_secrets

if TYPE_CHECKING:
    from flexrun.settings import Settings

SECRETS = ("database_url", "broker_url", "token", "tokens", "link_secret", "payload_keys")
MAX_FILE_BYTES = 256 * 1024
MIN_LINK_SECRET_BYTES = 32

_PASSWORD = re.compile(r"\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S+)")


class SecretRefused(ValueError):
    """A secret cannot be read or used; the text says which and why, and never shows it."""


class SecretFiles(PydanticBaseSettingsSource):
    """Values from the files that `FLEXRUN_…_FILE` name. Raises SecretRefused."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of one field; None where no file is named."""
        return _from_file(field_name) if field_name in SECRETS else None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values that come from files."""
        found = {name: _from_file(name) for name in SECRETS}
        return {name: value for name, value in found.items() if value is not None}


def _from_file(name: str) -> str | None:
    variable = f"FLEXRUN_{name.upper()}"
    file = os.environ.get(f"{variable}_FILE")
    if file is None:
        return None
    if variable in os.environ:
        raise SecretRefused(f"{variable} and {variable}_FILE are both set; keep one of them")
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
        text = raw.decode()
    except OSError as error:
        raise SecretRefused(f"{variable}_FILE: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretRefused(f"{variable}_FILE: {file} is not UTF-8 text") from None
    if len(raw) > MAX_FILE_BYTES:
        raise SecretRefused(f"{variable}_FILE: {file} is larger than {MAX_FILE_BYTES} bytes")
    value = text.rstrip("\r\n")
    if not value.strip():
        raise SecretRefused(f"{variable}_FILE: {file} is empty")
    return value


def know_settings(settings: Settings) -> None:
    """Have every secret of these settings redacted from now on."""
    know_secrets(
        os.environ.get("PGPASSWORD"),
        *_of_address(settings.database_url or ""),
        *_of_address(settings.broker_url),
        settings.token.get_secret_value() if settings.token else None,
        settings.link_secret.get_secret_value() if settings.link_secret else None,
        *_of_tokens(settings.tokens.get_secret_value() if settings.tokens else ""),
    )


def check_link_secret(settings: Settings) -> None:
    """Raise SecretRefused for a link secret that can be guessed."""
    secret = settings.link_secret.get_secret_value() if settings.link_secret else None
    if secret is not None and len(secret.encode()) < MIN_LINK_SECRET_BYTES:
        raise SecretRefused(
            f"FLEXRUN_LINK_SECRET is shorter than {MIN_LINK_SECRET_BYTES} bytes, and a link could be forged;"
            " make one with: openssl rand -hex 32"
        )


def check_addresses(settings: Settings) -> None:
    """Raise SecretRefused for addresses that a library could not read and would quote."""
    for name, text in (("DATABASE_URL", settings.database_url or ""), ("BROKER_URL", settings.broker_url)):
        if not _readable(text):
            raise SecretRefused(
                f"FLEXRUN_{name} cannot be read as scheme://user:password@host:port/name; in user and password"
                " the characters @ : / ? # % are written in percent escapes (%40 for @). Its text is not shown here"
            )


def _readable(text: str) -> bool:
    try:
        parts = urlsplit(text)
        if "," not in parts.netloc:  # Postgres takes several hosts, each with a port
            _ = parts.port, parts.hostname
    except ValueError:
        return False
    return parts.netloc.count("@") <= 1 and ("@" not in text or bool(parts.scheme) or "=" in text)


def _of_address(text: str) -> list[str | None]:
    """The password in a URL or a connection string, and the text itself where it has one."""
    found: list[str | None] = [_found.strip("'") for _found in _PASSWORD.findall(text)]
    head, at, _ = text.rpartition("@")
    if at:
        _, colon, password = head.rpartition("://")[2].partition(":")
        found += [password, text] if colon else []
    return found


def _of_tokens(text: str) -> list[str]:
    """The tokens in `FLEXRUN_TOKENS`, well-formed or not."""
    stripped = text.strip()
    if not stripped.startswith("{"):
        parts = [part.strip() for part in stripped.split(";")]
        return [part.rpartition("=")[0].strip() or part for part in parts]
    try:
        document: Any = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return re.findall(r'"([^"]+)"\s*:', stripped)
    return list(cast("dict[str, Any]", document)) if isinstance(document, dict) else []
