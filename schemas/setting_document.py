"""Settings that are documents: JSON itself, or the path of a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from schemas.base import Model
from schemas.parsing import parse_document
from schemas.refusal import DocumentRefused

MAX_BYTES = 1024 * 1024

Document = TypeVar("Document", bound=Model)


class SettingInvalid(ValueError):
    """The document of a setting cannot be read or is wrong; the text names the setting and the place in it."""


def read_setting(model: type[Document], name: str, text: str | None) -> Document | None:
    """The document that the setting of this name has or names; None where it is empty. Raises SettingInvalid."""
    stripped = (text or "").strip()
    if not stripped:
        return None
    where, raw = name, stripped.encode()
    if not stripped.startswith("{"):
        where = f"{name} ({stripped})"
        try:
            with Path(stripped).open("rb") as file:
                raw = file.read(MAX_BYTES)
        except OSError as error:
            raise SettingInvalid(f"{where}: the file cannot be read: {error.strerror}") from None
    try:
        return parse_document(model, raw)
    except DocumentRefused as refused:
        raise SettingInvalid(f"{where}: {refused}") from None
