"""JSON text from outside becomes Python values here: only such as Postgres and orjson give back unchanged.

orjson alone lets four things through that would hurt later: NUL characters (jsonb cannot hold them), nesting deep
enough to overflow a recursive reader, integers beyond 64 bit (it rounds them), and keys that an object has twice (it
keeps the last, other readers the first). A cheap look at the bytes tells whether one of the first three is possible;
only then the document is walked. For the last the text is parsed a second time, in time linear in its length.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any, cast

import orjson

from schemas import pointer
from schemas.refusal import MAX_PROBLEMS, DocumentRefused, FieldProblem

MAX_DEPTH = 100
MAX_OUTPUT_BYTES = 4 * 1024 * 1024
"""What a node, or a run, may deliver."""

MAX_RESULT_BYTES = MAX_OUTPUT_BYTES + 64 * 1024
"""A document with an output and what is said beside it: usage, errors."""

MAX_VALUES = 50_000
"""Values of a document: its objects, arrays, members and items."""

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1

Path = tuple[str | int, ...]

_DIGITS_AS_ZERO = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_SHORTEST_OVERSIZED = b"0" * 19
_OVERSIZED = object()


def load_json(raw: bytes, *, keys_are_unique: bool = False) -> Any:
    """Parse `raw`; raises DocumentRefused for no JSON, one too large or too deep, a NUL, huge integer, repeated key.

    Say `keys_are_unique` of what was written from Python values: it is then not looked through for repeated keys.
    """
    try:
        document: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DocumentRefused([_not_json(error)]) from None
    if raw.count(b",") + raw.count(b"{") + raw.count(b"[") >= MAX_VALUES:
        _refuse_many_values(document)
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_too_deep(document):
        raise DocumentRefused([_too_deep(_first_path_too_deep(document))])
    if b"\\u0000" in raw:
        _refuse(document, _nul_problem)
    if _SHORTEST_OVERSIZED in raw.translate(_DIGITS_AS_ZERO):
        _refuse(_parse(raw, parse_int=_integer), _integer_problem)
    if not keys_are_unique:
        _refuse_repeated_keys(raw)
    return document


def _parse(raw: bytes, **hooks: Any) -> Any:
    """Parse what orjson has parsed, with hooks that it lacks."""
    try:
        return json.loads(raw, **hooks)
    except RecursionError:  # deep within a value that orjson dropped, since its key stands twice
        raise DocumentRefused([_too_deep(())]) from None


def _not_json(error: orjson.JSONDecodeError) -> FieldProblem:
    if error.msg.startswith("depth limit exceeded"):
        return _too_deep(())
    where = f"line {error.lineno}, column {error.colno}, character {error.pos}"
    return FieldProblem("invalid_json", "", f"This is not JSON: {error.msg} ({where}).")


def _too_deep(path: Path) -> FieldProblem:
    return FieldProblem(
        "too_deep", pointer.build_bounded(path), f"Objects and arrays may be nested at most {MAX_DEPTH} deep."
    )


def _refuse_many_values(document: object) -> None:
    """Raise DocumentRefused where there really are too many: commas and brackets are also found within texts."""
    if next(islice(walk(document), MAX_VALUES, None), None) is not None:
        message = f"A document may have at most {MAX_VALUES} values in all."
        raise DocumentRefused([FieldProblem("too_many_values", "", message)])


def _is_too_deep(document: object) -> bool:
    level: list[Any] = [document] if isinstance(document, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            child for container in level for child in _children(container) if isinstance(child, dict | list)
        ]
    return bool(level)


def _children(container: dict[str, Any] | list[Any]) -> Collection[Any]:
    return container.values() if isinstance(container, dict) else container


def _first_path_too_deep(document: object) -> Path:
    return next(
        path for value, path in walk(document) if len(path) >= MAX_DEPTH and isinstance(value, dict | list)
    )


def walk(document: object) -> Iterator[tuple[Any, Path]]:
    """Every value of a document with its path, in document order, parents first; never recursive."""
    stack: list[tuple[Any, Path]] = [(document, ())]
    while stack:
        value, path = stack.pop()
        yield value, path
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            stack.extend((members[key], (*path, key)) for key in reversed(members))
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            stack.extend((items[index], (*path, index)) for index in range(len(items) - 1, -1, -1))


def has_more_values(document: object, limit: int) -> bool:
    """Whether a document holds more than `limit` values, itself included; looks at no more than that many."""
    count = 1
    waiting: list[Any] = [document] if isinstance(document, dict | list) else []
    while waiting:
        children = _children(waiting.pop())
        count += len(children)
        if count > limit:
            return True
        waiting += [child for child in children if isinstance(child, dict | list)]
    return count > limit


def _refuse(document: object, problem_of: Callable[[Any, Path], FieldProblem | None]) -> None:
    found = (problem for value, path in walk(document) if (problem := problem_of(value, path)))
    problems = list(islice(found, MAX_PROBLEMS))
    if problems:
        raise DocumentRefused(problems)


def _nul_problem(value: object, path: Path) -> FieldProblem | None:
    if isinstance(value, str) and "\0" in value:
        return FieldProblem(
            "nul_character", pointer.build_bounded(path), "Text may not contain NUL characters (\\u0000)."
        )
    if isinstance(value, dict) and any("\0" in key for key in cast("dict[str, Any]", value)):
        return FieldProblem(
            "nul_character",
            pointer.build_bounded(path),
            "A key of this object has a NUL character (\\u0000).",
        )
    return None


class _Repeating(dict[str, Any]):
    """An object of the text in which a key stands more than once."""

    repeated: tuple[str, ...] = ()


def _refuse_repeated_keys(raw: bytes) -> None:
    found = False

    def as_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        made = dict(members)
        if len(made) == len(members):
            return made
        found = True
        marked = _Repeating(made)
        marked.repeated = tuple(key for key, times in Counter(key for key, _ in members).items() if times > 1)
        return marked

    # Numbers stay texts: to convert one of a million digits takes minutes.
    document = _parse(raw, object_pairs_hook=as_object, parse_int=str, parse_float=str)
    if found:
        raise DocumentRefused(list(islice(_repeated_keys(document), MAX_PROBLEMS)))


def _repeated_keys(document: object) -> Iterator[FieldProblem]:
    for value, path in walk(document):
        for key in value.repeated if isinstance(value, _Repeating) else ():
            message = (
                "This key stands more than once in its object; which of the values is meant cannot be known."
            )
            yield FieldProblem("duplicate_key", pointer.build_bounded((*path, key)), message)


def _integer(digits: str) -> object:
    """An integer of the document, or the mark of one beyond 64 bit; long ones are never converted (slow)."""
    if len(digits) > 20 or not MIN_INTEGER <= int(digits) <= MAX_INTEGER:
        return _OVERSIZED
    return int(digits)


def _integer_problem(value: object, path: Path) -> FieldProblem | None:
    if value is not _OVERSIZED:
        return None
    return FieldProblem(
        "integer_out_of_range",
        pointer.build_bounded(path),
        f"Integers go from {MIN_INTEGER} to {MAX_INTEGER} (64 bit); send longer numbers as strings.",
    )
