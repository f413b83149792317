"""The work in flight in a process, in memory that outlives it: its supervisor makes it, and gives it to the next one.

A note costs no statement and no system call, and survives a `kill -9`. It is for work that no other process can have
started meanwhile: work that the next engine finds here is charged with the loss of the one before.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress

from broker.interface import WorkHint
from eventstore.leases import ClaimedWork

_PLACE_BYTES = 64
_EMPTY = bytes(_PLACE_BYTES)


class Journal:
    """Notes of fixed size; each is one write, so that none is partial."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._free = list(range(0, len(memory) - _PLACE_BYTES + 1, _PLACE_BYTES))

    def begin(self, hint: WorkHint) -> int | None:
        """Note that this work starts; the place of the note, None where there is no room: claim it otherwise."""
        note = f"{hint.run_id} {hint.kind} {hint.attempt} {hint.ref}".encode()
        if not self._free or len(note) > _PLACE_BYTES:
            return None
        place = self._free.pop()
        self._memory[place : place + _PLACE_BYTES] = note.ljust(_PLACE_BYTES, b"\0")
        return place

    def end(self, place: int) -> None:
        """Remove the note: the work ended, well or badly."""
        self._memory[place : place + _PLACE_BYTES] = _EMPTY
        self._free.append(place)

    def left_behind(self) -> list[ClaimedWork]:
        """The notes: at the start, the work in flight when the process before this one was lost."""
        return list(self._notes())

    def clear(self) -> None:
        """Forget all notes."""
        self._memory[:] = bytes(len(self._memory))

    def _notes(self) -> Iterator[ClaimedWork]:
        for place in range(0, len(self._memory) - _PLACE_BYTES + 1, _PLACE_BYTES):
            note = self._memory[place : place + _PLACE_BYTES].rstrip(b"\0")
            if note:
                with suppress(ValueError):
                    run_id, kind, attempt, ref = note.decode().split(" ", 3)
                    yield run_id, kind, ref, int(attempt)
