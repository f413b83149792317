"""What happened in a simulation, as the database and the clients saw it; the promises are checked against it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from simulation.database.append import Append

PEOPLE = ("ann", "bob", "cat")
"""Those who decide."""

Attempt = tuple[str, str, int]
"""(run id, node id, attempt)"""


@dataclass(frozen=True, slots=True)
class Frame:
    """An event as a reader was given it."""

    seq: int
    hash: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told of a decision or an order: the run, what it asked for, and the events that it made."""

    run_id: str
    what: str
    events: tuple[tuple[int, str | None], ...]
    finished: str | None


@dataclass(slots=True)
class History:
    """`broken` are the promises that were found broken, in words; `lines` the trace, where it is kept."""

    keeps_lines: bool = False
    accepted: dict[str, int] = field(default_factory=dict[str, int])
    envelopes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    frames: defaultdict[tuple[str, str], list[Frame]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], list[Frame]](list)
    )
    followed: list[tuple[int, int, str, int]] = field(default_factory=list[tuple[int, int, str, int]])
    made: dict[Attempt, Any] = field(default_factory=dict[Attempt, Any])
    begun: Counter[Attempt] = field(default_factory=Counter[Attempt])
    told: list[Told] = field(default_factory=list[Told])
    sandboxed: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])
    facts: Counter[str] = field(default_factory=Counter[str])
    _last: dict[str, int] = field(default_factory=dict[str, int])
    _digest: Any = field(default_factory=sha256)

    def note(self, seconds: float, line: str) -> None:
        """Add a line to the trace."""
        text = f"{seconds:10.4f}  {line}"
        self._digest.update(text.encode())
        if self.keeps_lines:
            self.lines.append(text)

    def break_promise(self, number: int, text: str) -> None:
        """A promise is broken."""
        self.broken.append(f"promise {number}: {text}")

    def committed(self, seconds: float, append: Append) -> None:
        """The database has committed."""
        for event in append.events:
            cells = event.cells
            attempt = cells[3].get("attempt", "")
            self.note(
                seconds, f"{cells[0][-4:]} {cells[1]:3} {cells[2]} {cells[6] or ''} {attempt} {cells[10][:8]}"
            )
            self.facts[cells[2]] += 1

    def read(self, reader: str, run_id: str, found: list[Frame]) -> None:
        """A reader was given these frames, which follow those that it has."""
        frames = self.frames[reader, run_id]
        for frame in found:
            last = frames[-1].seq if frames else 0
            if frame.seq != last + 1:
                self.break_promise(3, f"{reader} of {run_id} got event {frame.seq} after event {last}")
            frames.append(frame)

    def note_last(self, run_id: str, seq: int) -> None:
        """The run's `complete` was seen, with this seq."""
        self._last[run_id] = seq

    def is_whole(self, reader: str, run_id: str) -> bool:
        """Whether a reader has read a run to its end."""
        frames = self.frames[reader, run_id]
        return bool(frames) and frames[-1].seq == self._last.get(run_id)

    @property
    def trace_hash(self) -> str:
        """Names what happened; the same seed gives the same one."""
        return self._digest.hexdigest()[:32]
