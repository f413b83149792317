"""Text that strangers wrote, cut and cleaned for the log."""

from __future__ import annotations

MESSAGE_CHARACTERS = 2_000


def clean_text(text: object, limit: int = MESSAGE_CHARACTERS) -> str:
    """`text` without what Postgres and UTF-8 refuse (NUL, lone surrogates), cut to `limit` characters."""
    cut = str(text)[: limit + 1]
    if len(cut) > limit:
        cut = cut[: limit - 1] + "…"
    return cut.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
