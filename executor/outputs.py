"""What a capability returned, as the JSON that the run keeps."""

from __future__ import annotations

import math
from typing import Any, cast

import orjson

from executor.texts import clean_text
from runs.event import Json
from schemas import pointer
from schemas.json_text import load_json
from schemas.refusal import DocumentRefused


class OutputRefused(Exception):
    """The output cannot be kept. `code` is `output_not_json` or `output_too_large`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def as_json(output: object, max_bytes: int) -> Json:
    """A copy of `output` that is JSON and nothing else, so that the run keeps what a reader of the log gets.

    Tuples become lists, dates and UUIDs text. Raises OutputRefused, with the place of the first problem.
    """
    try:
        encoded = orjson.dumps(output, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError as error:
        raise _not_json(str(error)) from error
    if len(encoded) > max_bytes:
        message = f"the output takes {len(encoded):,} bytes of JSON; {max_bytes:,} are allowed"
        raise OutputRefused("output_too_large", message)
    # orjson writes NaN and infinity as null without a word.
    if b"null" in encoded and (place := _not_finite(output)) is not None:
        raise _not_json(f"{place or 'the whole output'} is not a finite number")
    try:
        return load_json(encoded)
    except DocumentRefused as refused:
        first = refused.problems[0]
        raise _not_json(f"{first.message} ({first.pointer or 'the whole output'})") from None


def _not_json(problem: str) -> OutputRefused:
    return OutputRefused("output_not_json", clean_text(f"the output is not JSON that can be kept: {problem}"))


def _not_finite(output: object) -> str | None:
    """The pointer to the first NaN or infinity; None where there is none. The output is known not to be cyclic."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), output)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return pointer.build_bounded(path)
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            waiting += [((*path, key), member) for key, member in members.items()]
        elif isinstance(value, list | tuple):
            items = cast("list[Any]", value)
            waiting += [((*path, index), item) for index, item in enumerate(items)]
    return None
