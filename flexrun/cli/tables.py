"""Tables that fit the terminal.

Short things (ids, times, states) stay whole as long as there is room; sentences are cut and end in "…". Where a row
does not fit in one line its first cell, the id, has a line of its own and is not cut, so that it can always be copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

from schemas.visible import visible

_GAP = 2
_INDENT = 2
_READABLE = 12
"""Cells of a sentence that is still worth a column beside the others."""
_LEAST = 4

_SENTENCES = frozenset({"at last", "events", "for", "objective", "question", "says", "state", "url", "what"})


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: Sequence[str]

    @property
    def is_sentence(self) -> bool:
        return self.name in _SENTENCES

    @property
    def natural_width(self) -> int:
        return max(map(cell_len, (self.name, *self.cells)))


class FittedTable:
    """A renderable: columns side by side, laid out for the width of the console that prints it."""

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        texts = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
        self.is_empty = not texts
        self._columns = [_Column(name, [row[index] for row in texts]) for index, name in enumerate(columns)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines, header first."""
        first, *others = self._columns
        if not others or _fits(self._columns, options.max_width):
            yield from _lines(self._columns, options.max_width)
            return
        ids = _lines([first], first.natural_width)
        for head, rest in zip(ids, _lines(others, options.max_width - _INDENT), strict=True):
            yield head
            yield Text(" " * _INDENT, no_wrap=True, overflow="ignore").append_text(rest)


def _fits(columns: Sequence[_Column], room: int) -> bool:
    least = [
        min(each.natural_width, _READABLE) if each.is_sentence else each.natural_width for each in columns
    ]
    return sum(least) + _GAP * (len(columns) - 1) <= room


def _lines(columns: Sequence[_Column], room: int) -> Iterator[Text]:
    widths = fitted_widths(columns, room)
    yield _line([each.name for each in columns], widths, "bold")
    for cells in zip(*(each.cells for each in columns), strict=True):
        yield _line(cells, widths)


def fitted_widths(columns: Sequence[_Column], room: int) -> list[int]:
    """Widths that fill `room` at most: the widest sentence is cut first, and whole columns last."""
    widths = [min(each.natural_width, room) for each in columns]
    too_much = sum(widths) + _GAP * (len(columns) - 1) - room
    for sentences, least in ((True, _READABLE), (True, _LEAST), (False, _LEAST)):
        while too_much > 0:
            wide = [
                index
                for index, each in enumerate(columns)
                if each.is_sentence == sentences and widths[index] > least
            ]
            if not wide:
                break
            widths[max(wide, key=lambda index: widths[index])] -= 1
            too_much -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], style: str = "") -> Text:
    line = Text(style=style, no_wrap=True, overflow="ignore")
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = Text(cell)
        text.truncate(width, overflow="ellipsis", pad=index < len(cells) - 1)
        line.append_text(text).append(" " * _GAP if index < len(cells) - 1 else "")
    return line
