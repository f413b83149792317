"""What customers were promised and what they got, kept small enough for a soak of days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

MOST_BREACHES = 200


@dataclass(frozen=True, slots=True)
class Read:
    """The whole of a run as one reader got it."""

    frames: int
    digest: bytes


def read_of(frames: Sequence[bytes]) -> Read:
    """The exact bytes of all frames, as a digest."""
    digest = sha256()
    for frame in frames:
        digest.update(frame + b"\n\n")
    return Read(len(frames), digest.digest())


@dataclass(slots=True)
class Ledger:
    """`accepted`: runs whose acceptance a customer has seen. `read`: those that somebody has read to the end."""

    accepted: set[str] = field(default_factory=set[str])
    read: dict[str, Read] = field(default_factory=dict[str, Read])
    counts: Counter[str] = field(default_factory=Counter[str])
    breaches: list[str] = field(default_factory=list[str])

    def accept(self, run_id: str) -> None:
        """A customer has seen `start`, or a 202."""
        self.accepted.add(run_id)

    def finish(self, run_id: str, frames: Sequence[bytes]) -> None:
        """Somebody has read a run to its end; whoever does it again must have read the same."""
        read = read_of(frames)
        if self.read.setdefault(run_id, read) != read:
            self.breach(f"{run_id}: two readers were given different frames")
        self.counts["frames"] += len(frames)

    def breach(self, what: str) -> None:
        """A promise was broken."""
        if len(self.breaches) < MOST_BREACHES:
            self.breaches.append(what)
        self.counts["breaches"] += 1
