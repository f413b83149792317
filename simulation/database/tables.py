"""The tables of the twin, and what a statement reads and changes in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = dict[str, Any]
WorkKey = tuple[str, str, str]
"""(run id, kind, reference)"""


@dataclass(slots=True)
class StoredEvent:
    """A row of `flex_events`: `cells` are the columns of `flex_event_rows`."""

    xid: int
    position: int
    cells: tuple[Any, ...]

    @property
    def run_id(self) -> str:
        return self.cells[0]

    @property
    def seq(self) -> int:
        return self.cells[1]

    @property
    def type(self) -> str:
        return self.cells[2]


@dataclass(slots=True)
class WorkRecord:
    """A row of `flex_work`."""

    run_id: str
    kind: str
    ref: str
    queue: str
    attempt: int
    started: bool
    due_at: datetime
    worker: str | None
    lease_until: datetime | None
    hinted_at: datetime
    failures: int = 0
    losses: list[Row] | None = None
    lost_as: str | None = None

    @property
    def key(self) -> WorkKey:
        return (self.run_id, self.kind, self.ref)

    @property
    def free(self) -> bool:
        return not self.started and self.worker is None


@dataclass(slots=True)
class Message:
    """A row of `flex_messages`."""

    id: int
    queue: str
    body: bytes
    visible_at: datetime
    deliveries: int = 0


@dataclass(slots=True)
class Tables:
    """All rows that are committed. `now` is the clock of the server; `notify` sends a notification."""

    now: Callable[[], datetime]
    notify: Callable[[str, str], None]
    runs: dict[str, Row] = field(default_factory=dict[str, Row])
    events: dict[str, list[StoredEvent]] = field(default_factory=dict[str, list[StoredEvent]])
    log: list[StoredEvent] = field(default_factory=list[StoredEvent])
    nodes: dict[tuple[str, str], Row] = field(default_factory=dict[tuple[str, str], Row])
    requests: dict[str, Row] = field(default_factory=dict[str, Row])
    work: dict[WorkKey, WorkRecord] = field(default_factory=dict[WorkKey, WorkRecord])
    values: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    keys: dict[str, bytes] = field(default_factory=dict[str, bytes])
    messages: dict[int, Message] = field(default_factory=dict[int, Message])
    dead_letters: dict[int, tuple[Any, ...]] = field(default_factory=dict[int, tuple[Any, ...]])
    capabilities: dict[tuple[str, str], Row] = field(default_factory=dict[tuple[str, str], Row])
    workers: dict[tuple[str, str, str], Row] = field(default_factory=dict[tuple[str, str, str], Row])
    facets: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    secrets: dict[str, bytes] = field(default_factory=dict[str, bytes])
    locked: dict[WorkKey, str] = field(default_factory=dict[WorkKey, str])
    """Work that an open transaction has changed, and its run: statements that skip locked rows do not see it."""

    open_xids: set[int] = field(default_factory=set[int])
    next_xid: int = 700
    next_id: int = 0

    def new_id(self) -> int:
        """The next value of a sequence."""
        self.next_id += 1
        return self.next_id

    @property
    def watermark(self) -> int:
        """`pg_snapshot_xmin`: no transaction below it is open."""
        return min(self.open_xids, default=self.next_xid)


class Locked(Exception):
    """The statement waits for a row that an open transaction has changed."""
