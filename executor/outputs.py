"""The output of a capability, as the JSON that the run stores."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import orjson

from runs.event import Json
from schemas import pointer
from schemas.clean_text import clean_text
from schemas.json_text import load_json
from schemas.refusal import DocumentRefused

_SMALL_BYTES = 64 * 1024
_MAX_SEARCHED = 20_000
"""How many values are searched for the place of a number that is not finite."""


@dataclass(frozen=True, slots=True)
class KeptJson:
    """An output that has been through `as_json` already."""

    value: Json


class OutputRefused(Exception):
    """The output cannot be stored. `code` is `output_not_json` or `output_too_large`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def keep(output: object, max_bytes: int) -> Json:
    """`as_json`, a large output on a thread of its own. Raises OutputRefused."""
    if isinstance(output, KeptJson):
        return output.value
    encoded = _encoded(output, max_bytes)
    if len(encoded) <= _SMALL_BYTES:
        return _decoded(output, encoded)
    from executor.threads import run_in_thread  # noqa: PLC0415 - children of the sandbox do without asyncio

    return await run_in_thread(_decoded, output, encoded)


def as_json(output: object, max_bytes: int) -> Json:
    """A copy of `output` that is plain JSON, so that the state of the run equals what a reader of the log gets.

    Tuples become lists, dates and UUIDs text. Raises OutputRefused, with the place of the first problem.
    """
    return _decoded(output, _encoded(output, max_bytes))


def _encoded(output: object, max_bytes: int) -> bytes:
    try:
        encoded = orjson.dumps(output, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError as error:
        raise _not_json(str(error)) from error
    if len(encoded) > max_bytes:
        message = f"the output takes {len(encoded):,} bytes of JSON; {max_bytes:,} are allowed"
        raise OutputRefused("output_too_large", message)
    return encoded


def _decoded(output: object, encoded: bytes) -> Json:
    # orjson writes NaN and infinity as null and raises nothing.
    if b"null" in encoded and (place := _not_finite(output)) is not None:
        raise _not_json(f"{place or 'the whole output'} is not a finite number")
    try:
        return load_json(encoded, keys_are_unique=True)
    except DocumentRefused as refused:
        first = refused.problems[0]
        if first.code == "too_many_values":
            raise OutputRefused("output_too_large", first.message) from None
        raise _not_json(f"{first.message} ({first.pointer or 'the whole output'})") from None


def _not_json(problem: str) -> OutputRefused:
    return OutputRefused("output_not_json", clean_text(f"the output is not JSON that can be kept: {problem}"))


def _not_finite(output: object) -> str | None:
    """The pointer to the first NaN or infinity; None where there is none. The output is known not to be cyclic."""
    if not _has_not_finite(output):
        return None
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), output)]
    for _ in range(_MAX_SEARCHED):
        if not waiting:
            break
        path, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return pointer.build_bounded(path)
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            waiting += [((*path, key), member) for key, member in members.items()]
        elif isinstance(value, list | tuple):
            items = cast("list[Any]", value)
            waiting += [((*path, index), item) for index, item in enumerate(items)]
    return "a number of the output"


def _has_not_finite(output: object) -> bool:
    """Whether there is a NaN or an infinity, without its place: a tenth of the work."""
    waiting: list[Any] = [[output]]
    while waiting:
        container = waiting.pop()
        values: Iterable[Any] = container
        if isinstance(container, dict):
            values = cast("dict[str, Any]", container).values()
        for value in values:
            if isinstance(value, float):
                if not math.isfinite(value):
                    return True
            elif isinstance(value, dict | list | tuple):
                waiting.append(value)
    return False
