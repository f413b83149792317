"""Where two descriptors differ: what a caller needs to know to give the new one a version of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import orjson

from schemas import pointer
from schemas.json_text import Path
from schemas.refusal import MAX_PROBLEMS, FieldProblem

_SHOWN_CHARS = 60
_MAY_BE_SECRET = frozenset({"headers", "env", "command"})
"""Parts of a home whose values are not shown: somebody may have written a secret there."""

_MISSING = object()


def differences(registered: Any, sent: Any) -> list[FieldProblem]:
    """A problem for each value that is registered in one way and sent in another, `MAX_PROBLEMS` at most."""
    return list(islice(_differences(registered, sent, ()), MAX_PROBLEMS))


def _differences(old: Any, new: Any, path: Path) -> Iterator[FieldProblem]:
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key, _MISSING), after.get(key, _MISSING), (*path, key))
    elif not _equal(old, new):
        hidden = bool(_MAY_BE_SECRET.intersection(str(part) for part in path))
        message = (
            "Another value is registered."
            if hidden
            else f"Registered is {_shown(old)}, and this is {_shown(new)}."
        )
        yield FieldProblem("differs", pointer.build_bounded(path), message)


def _equal(old: Any, new: Any) -> bool:
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
