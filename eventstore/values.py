"""Large values of a run are stored once, in `flex_values`, by the SHA-256 of their text.

On its way into the database a document (a payload, an output, an envelope) leaves its large values behind: null stands
in their places, and the column `apart` of the row has each place, a JSON pointer that begins with the name of the
column, with the hash of its value. When the row is read, they are put back. Only this column says where a value is
missing, and only the store writes it: whatever callers put into a document is data.

What is split follows from the value and hardly from where it stands, so an output that is passed on whole or in parts
is found to be the same one. The hash chain covers events as they are before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

import orjson

from eventstore.chain import event_members
from eventstore.connection import BlockingConnection, Connection
from eventstore.rows import Columns, Result, Rows
from eventstore.statements import statement
from runs.event import Event, JsonObject
from schemas.canonical_form import sorted_text
from schemas.pointer import escape, split

LARGE_BYTES = 16 * 1024
"""A value with more bytes of JSON text is stored apart: up to about there, jsonb in the row costs no more."""

MOST_MEMBERS = 64
"""An object or array with more members is stored as one value."""

DEEPEST = 8
"""Below so many levels of a document, a value is stored whole."""

APART = "apart"
"""The column with the places."""

APART_COLUMN = APART.encode()

Places = dict[str, str]
"""Place of a value that is stored apart → its hash."""

_ALWAYS_OPEN = frozenset({"/payload", "/detail", "/envelope", "/envelope/inputs"})
"""What is never one value itself: the column may not be null, or statements look at what is in there."""

_NEVER_APART = frozenset({"/envelope/metadata", "/envelope/inputs/briefId"})
"""What statements look at (`hitl_request_rows`)."""

_EVENT_DOCUMENTS = ("payload", "detail")
_ROW_DOCUMENTS = {
    "starts": ("envelope", "output"),
    "advances": ("output",),
    "planned": ("output",),
    "nodes": ("output",),
    "requests": ("payload",),
}
"""Section of rows → the columns whose large values are stored apart."""


@dataclass(slots=True)
class Splitter:
    """Takes the large values out of the documents of one run; `values` are their texts by hash."""

    values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _known: dict[int, tuple[Any, tuple[Any, Places]]] = field(
        default_factory=dict[int, tuple[Any, tuple[Any, Places]]]
    )
    """What became of a value that was seen: an event and the rows that follow from it have the same objects."""

    def event(self, event: Event, text: bytes) -> bytes:
        """The text of an event (`chain.event_text`) as it is stored: the same one where it has no large values."""
        if len(text) <= LARGE_BYTES:
            return text
        members = event_members(event)
        return sorted_text(members) if self.members(members) else text

    def members(self, members: JsonObject) -> bool:
        """Take them out of the members of an event (`chain.event_members`); whether there were any."""
        return self._split(members, _EVENT_DOCUMENTS)

    def rows(self, section: str, rows: Iterable[JsonObject]) -> bool:
        """Take them out of the rows of a section (`projection.project`); whether there were any."""
        columns = _ROW_DOCUMENTS.get(section, ())
        return any([self._split(row, columns) for row in rows] if columns else ())

    def _split(self, row: JsonObject, columns: Sequence[str]) -> bool:
        places: Places = {}
        for column in columns:
            value = row.get(column)
            is_open = f"/{column}" in _ALWAYS_OPEN  # also where the value was stored whole in another place
            if not is_open and id(value) in self._known:
                row[column], inside = self._known[id(value)][1]
            elif value is None or len(text := sorted_text(value)) <= LARGE_BYTES:
                continue
            else:
                row[column], inside = self._reduced(value, text, f"/{column}", 0)
            places |= {f"/{column}{place}": each for place, each in inside.items()}
        if places:
            row[APART] = places
        return bool(places)

    def _reduced(self, value: Any, text: bytes, pointer: str, depth: int) -> tuple[Any, Places]:
        """A large value without what is large in it, and the places of that in it; null where it goes as a whole."""
        is_open = pointer in _ALWAYS_OPEN
        if not is_open and id(value) in self._known:
            return self._known[id(value)][1]
        found = self._opened(value, text, pointer, depth)
        if found is None:
            content = sha256(text).hexdigest()
            self.values[content] = text
            found = None, {"": content}
        if not is_open:
            self._known[id(value)] = value, found
        return found

    def _opened(self, value: Any, text: bytes, pointer: str, depth: int) -> tuple[Any, Places] | None:
        """The container without its large members; None for what is to be stored as one value."""
        is_open = pointer in _ALWAYS_OPEN
        members = _members(value)
        if members is None or (not is_open and (len(members) > MOST_MEMBERS or depth > DEEPEST)):
            return None
        large = {key: inside for key, each in members if len(inside := sorted_text(each)) > LARGE_BYTES}
        rest = len(text) - sum(map(len, large.values()))
        if not is_open and (not large or rest > LARGE_BYTES):
            return None
        kept, places = value.copy(), Places()
        for key, inside in large.items():
            step = f"/{escape(key)}"
            if pointer + step in _NEVER_APART:
                continue
            kept[key], deeper = self._reduced(value[key], inside, pointer + step, depth + 1)
            places |= {step + place: each for place, each in deeper.items()}
        return kept, places


def _members(value: Any) -> list[tuple[str | int, Any]] | None:
    """The members of an object or array; None for anything else."""
    if isinstance(value, dict):
        return list(cast("dict[str | int, Any]", value).items())
    return list(enumerate(cast("list[Any]", value))) if isinstance(value, list) else None


@dataclass(frozen=True, slots=True)
class LostValue:
    """A value of a row that is not in `flex_values`, or is not what was written there. `seq` is that of an event."""

    run_id: str
    seq: int | None
    place: str
    changed: bool

    def __str__(self) -> str:
        what = "is not what was written" if self.changed else "is missing"
        event = f" event {self.seq}" if self.seq is not None else ""
        return f"run {self.run_id}{event}: the large value at {self.place} {what} in flex_values"


ValueKey = tuple[str, str]
"""A run's id and the hash of a value of it."""


def value_parameters(values: Sequence[tuple[str, str, bytes]]) -> dict[str, Any]:
    """The parameters of statements that store values: each with its run and its hash."""
    return {
        "run_ids": [run_id for run_id, _, _ in values],
        "hashes": [bytes.fromhex(each) for _, each, _ in values],
        "values": [text for _, _, text in values],
    }


async def whole(connection: Connection, result: Result) -> tuple[Result, list[LostValue]]:
    """The rows with their large values put back, and those values that are lost; null is left in their places.

    Each value is read once. Raises psycopg.Error.
    """
    keys = _keys(result)
    if not keys:
        return result, []
    cursor = await connection.execute(statement("values/read"), _parameters(keys), prepare=True, binary=True)
    return _filled(result, await cursor.fetchall(), check=False)


def whole_blocking(connection: BlockingConnection, result: Result) -> tuple[Result, list[LostValue]]:
    """The same as `whole`, in a thread that waits; the hash of each value is computed again. Raises psycopg.Error."""
    keys = _keys(result)
    if not keys:
        return result, []
    cursor = connection.execute(statement("values/read"), _parameters(keys), prepare=True, binary=True)
    return _filled(result, cursor.fetchall(), check=True)


def _keys(result: Result) -> list[ValueKey]:
    """The values that the rows leave out, each once."""
    if APART_COLUMN not in result.columns:
        return []
    of_run, apart = result.columns.index(b"run_id"), result.columns.index(APART_COLUMN)
    keys = {(row[of_run], each): None for row in result.rows if row[apart] for each in row[apart].values()}
    return list(keys)


def _parameters(keys: Sequence[ValueKey]) -> dict[str, Any]:
    return {"run_ids": [run_id for run_id, _ in keys], "hashes": [each for _, each in keys]}


def _filled(result: Result, values: Rows, *, check: bool) -> tuple[Result, list[LostValue]]:
    apart = result.columns.index(APART_COLUMN)
    filler = Filler(result.columns, {(run_id, each): text for run_id, each, text in values}, check)
    rows = [filler.filled(row) if row[apart] else row for row in result.rows]
    return Result(result.columns, rows), filler.lost


class Filler:
    """Puts values back into rows with these columns."""

    def __init__(self, columns: Columns, texts: Mapping[ValueKey, bytes], check: bool) -> None:
        self.lost: list[LostValue] = []
        self._at = {name.decode(): index for index, name in enumerate(columns)}
        self._texts = texts
        self._check = check
        self._values: dict[ValueKey, Any] = {}

    def filled(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        cells = list(row)
        for place, content in row[self._at[APART]].items():
            try:
                value = self._value((row[self._at["run_id"]], content))
                column, *steps = split(place)
                cells[self._at[column]] = _put(cells[self._at[column]], steps, value)
            except (LookupError, ValueError, TypeError) as error:  # nothing there, no JSON, no such place
                seq = row[self._at["seq"]] if "seq" in self._at else None
                changed = not isinstance(error, _Missing)
                self.lost.append(LostValue(row[self._at["run_id"]], seq, place, changed))
        return tuple(cells)

    def _value(self, key: ValueKey) -> Any:
        if key not in self._values:
            if key not in self._texts:
                raise _Missing
            text = self._texts[key]
            if self._check and sha256(text).hexdigest() != key[1]:
                raise ValueError(key[1])
            self._values[key] = orjson.loads(text)
        return self._values[key]


class _Missing(LookupError):
    """The table has no such value."""


def _put(document: Any, steps: Sequence[str], value: Any) -> Any:
    """`document` with `value` at the end of `steps`, changed in place. Raises LookupError, ValueError, TypeError."""
    if not steps:
        return value
    inner: Any = document
    for step in steps[:-1]:
        inner = inner[_key(inner, step)]
    inner[_key(inner, steps[-1])] = value
    return document


def _key(container: Any, step: str) -> str | int:
    return int(step) if isinstance(container, list) else step
