"""JSON pointers (RFC 6901): the way every refusal says where it hurts."""

from collections.abc import Iterable
from typing import Any, cast

MAX_POINTER_CHARS = 2_000


def escape(part: str | int) -> str:
    """One reference token: `~` becomes `~0` and `/` becomes `~1`."""
    return str(part).replace("~", "~0").replace("/", "~1")


def build(parts: Iterable[str | int]) -> str:
    """The pointer to the value at `parts`; no parts is the whole document, written as empty text."""
    return "".join("/" + escape(part) for part in parts)


def build_bounded(parts: Iterable[str | int]) -> str:
    """Like `build`, but of at most `MAX_POINTER_CHARS`: what does not fit is cut at an ancestor.

    A caller chooses the keys of its document, so an exact pointer could be as long as the document.
    """
    pointer = ""
    for part in parts:
        longer = pointer + "/" + escape(part)
        if len(longer) > MAX_POINTER_CHARS:
            break
        pointer = longer
    return pointer


def split(pointer: str) -> list[str]:
    """The unescaped reference parts of a pointer; raises ValueError when it is not one."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        msg = f"a JSON pointer starts with a slash or is empty, not {pointer[:50]!r}"
        raise ValueError(msg)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def resolve(document: object, pointer: str) -> Any:
    """The value that `pointer` names in `document`; raises LookupError when there is none."""
    value: Any = document
    for part in split(pointer):
        value = _step(value, part)
    return value


def _step(value: object, part: str) -> Any:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)[part]
    if isinstance(value, list) and _is_index(part):
        return cast("list[Any]", value)[int(part)]
    msg = f"nothing at {part[:50]!r}"
    raise LookupError(msg)


def _is_index(part: str) -> bool:
    """Array indexes are plain digits without a leading zero; no list is longer than 18 digits."""
    return part.isascii() and part.isdigit() and len(part) <= 18 and (part == "0" or part[0] != "0")
