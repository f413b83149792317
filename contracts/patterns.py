"""The patterns of a schema and the two engines for them: linear for all that it takes, backtracking for the rest.

Look-around and back-references cannot be matched in linear time. The backtracking engine has no limit of steps here,
since jsonschema-rs passes over one that is met within `not` or `anyOf`: the CPU deadline of the checker's process ends
it, and there is no verdict then.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import jsonschema_rs
from jsonschema_rs import FancyRegexOptions, RegexOptions, ValidationError, ValidationErrorKind

from contracts.grammar.subschemas import Schema
from schemas.json_text import Path, walk

MAX_PATTERN_BYTES = 4 * 1024 * 1024
LINEAR = RegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES)
BACKTRACKING = FancyRegexOptions(
    backtrack_limit=2**62, size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES
)

ENGINE_STACK = 1_000_000
"""Entries of the backtracking engine's stack. It gives up beyond."""

_COUNT = re.compile(r"\{(\d{1,9}),?(\d{0,9})\}")


class EngineGaveUp(Exception):
    """The stack of the backtracking engine does not suffice for a text of the document: there is no verdict."""


def patterns(schemas: Iterable[tuple[Path, Schema]]) -> Iterator[tuple[Path, str]]:
    """Every pattern that can be evaluated, with its place."""
    for path, schema in schemas:
        if isinstance(pattern := schema.get("pattern"), str):
            yield (*path, "pattern"), pattern
        if isinstance(by_pattern := schema.get("patternProperties"), dict):
            for each in cast("dict[str, Any]", by_pattern):
                yield (*path, "patternProperties", each), each


def compiles(pattern: str, engine: RegexOptions | FancyRegexOptions) -> bool:
    """Whether the engine takes the pattern."""
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=engine)
    except ValidationError:
        return False
    return True


class BacktrackingPatterns:
    """Those patterns of a schema that only the backtracking engine takes."""

    def __init__(self, found: Iterable[str]) -> None:
        self._found = [each for each in dict.fromkeys(found) if not compiles(each, LINEAR)]

    def try_all(self, document: Any) -> None:
        """Raise EngineGaveUp where one of them cannot be matched with a text or key of `document`.

        jsonschema-rs says so only where the pattern is not within another keyword. Texts that are short enough
        never fill the stack and are left out.
        """
        if not self._found:
            return
        texts = list(_texts(document))
        for pattern in self._found:
            long = _longest_safe(pattern)
            risky = [text for text in texts if len(text) > long]
            if risky and _gives_up(pattern, risky):
                raise EngineGaveUp


def _texts(document: Any) -> Iterator[str]:
    for value, _ in walk(document):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from cast("dict[str, Any]", value)


def _longest_safe(pattern: str) -> int:
    """Characters of a text that cannot fill the stack: each takes at most the pattern's length, times its counts."""
    entries = len(pattern) + 1
    for least, most in _COUNT.findall(pattern):
        entries *= max(int(least), int(most or 1), 1)
    return ENGINE_STACK // entries - 1


def _gives_up(pattern: str, texts: list[str]) -> bool:
    validator = jsonschema_rs.validator_for(
        {"items": {"pattern": pattern}}, offline=True, pattern_options=BACKTRACKING
    )
    gave_up = (ValidationErrorKind.BacktrackLimitExceeded, ValidationErrorKind.RegexEngineFailure)
    return any(isinstance(error.kind, gave_up) for error in validator.iter_errors(texts))
