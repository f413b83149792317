"""Capabilities that nodes wait for and that are not to be had any more: removed, or in a version that is replaced.

What an operator has disabled as a whole may be enabled again: its nodes wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventstore.capabilities import CapabilityRow, capability_rows
from eventstore.store import EventStore
from schemas.same_contract import can_stand_in


@dataclass(frozen=True, slots=True)
class Waiting:
    """A node that waits for a version of a capability; None where its plan names none."""

    run_id: str
    node_id: str
    capability_id: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """A node that waits in vain: `reason` says why, `left` whether another version of the capability can be planned."""

    waiting: Waiting
    reason: str
    left: bool


async def gone_capabilities(store: EventStore, older_than_seconds: float, limit: int) -> list[Gone]:
    """Nodes that have waited this long for what is not to be had. Raises StoreUnavailable."""
    found = await store.select(
        Waiting, "work/waiting_in_vain", {"older_than_seconds": older_than_seconds, "limit": limit}
    )
    versions: dict[str, Sequence[CapabilityRow]] = {}
    gone: list[Gone] = []
    for each in found:
        if each.capability_id not in versions:
            versions[each.capability_id] = await capability_rows(store, each.capability_id)
        rows = versions[each.capability_id]
        reason = _why_gone(each, rows)
        if reason is not None:
            gone.append(Gone(each, reason, any(not row.disabled for row in rows)))
    return gone


def _why_gone(waiting: Waiting, rows: Sequence[CapabilityRow]) -> str | None:
    """None where a version can do the work."""
    enabled = [row for row in rows if not row.disabled]
    planned = next((row for row in rows if row.version == waiting.version), None)
    if not rows:
        return "no version of it is registered"
    if (
        not enabled
        or planned is None
        or any(can_stand_in(planned.descriptor, row.descriptor) for row in enabled)
    ):
        return None
    return f"version {planned.version} is disabled, and no other can do its work"
