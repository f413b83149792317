"""What customers were promised and what they got, kept small enough for a soak of days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

MOST_BREACHES = 200


@dataclass(frozen=True, slots=True)
class Read:
    """The whole of a run as one reader got it."""

    frames: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """A caller was answered 200: the log must have an event of this type that holds at least these values."""

    run_id: str
    what: str
    event_type: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    node_id: str | None = None

    def is_said_by(self, event_type: str, node_id: str | None, payload: Any, detail: Any) -> bool:
        """Whether this event of the log is the one."""
        return (
            event_type == self.event_type
            and self.node_id in (None, node_id)
            and _holds(payload, self.payload)
            and _holds(detail, self.detail)
        )


def _holds(value: Any, wanted: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return not wanted
    members = cast("dict[str, Any]", value)
    return all(
        _holds(members.get(key), cast("dict[str, Any]", each))
        if isinstance(each, dict)
        else members.get(key) == each
        for key, each in wanted.items()
    )


def read_of(frames: Sequence[bytes]) -> Read:
    """The exact bytes of all frames, as a digest."""
    digest = sha256()
    for frame in frames:
        digest.update(frame + b"\n\n")
    return Read(len(frames), digest.digest())


@dataclass(slots=True)
class Ledger:
    """`accepted`: runs whose acceptance a customer has seen. `read`: those that a customer has read to the end.

    `told`: what the 200s said. `notified`: runs whose `complete` came to the webhook; None where there is no webhook.
    `waits`: for each run that was read to the end, when its reader began and had its last frame (seconds, monotonic).
    """

    accepted: set[str] = field(default_factory=set[str])
    read: dict[str, Read] = field(default_factory=dict[str, Read])
    told: list[Told] = field(default_factory=list[Told])
    notified: set[str] | None = None
    waits: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    counts: Counter[str] = field(default_factory=Counter[str])
    breaches: list[str] = field(default_factory=list[str])

    def accept(self, run_id: str) -> None:
        """A customer has seen `start`, or a 202."""
        self.accepted.add(run_id)

    def tell(self, told: Told) -> None:
        """A caller was answered 200."""
        self.told.append(told)
        self.counts["told"] += 1

    def unnotified(self) -> set[str]:
        """Runs that were read to the end and whose webhook has not come."""
        return set() if self.notified is None else self.read.keys() - self.notified

    def finish(self, run_id: str, frames: Sequence[bytes]) -> None:
        """A reader has a run to its end; every other reader must have read the same."""
        read = read_of(frames)
        if self.read.setdefault(run_id, read) != read:
            self.breach(f"{run_id}: two readers were given different frames")
        self.counts["frames"] += len(frames)

    def breach(self, what: str) -> None:
        """A promise was broken."""
        if len(self.breaches) < MOST_BREACHES:
            self.breaches.append(what)
        self.counts["breaches"] += 1
