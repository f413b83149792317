"""Which versions a worker serves, and which others it can do, since their contracts are the same."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.capability_cache import CapabilityCache
from gateway.work.polls import Named, Served
from runs.outstanding import node_queue
from schemas.capability import worker_queue
from schemas.same_contract import can_stand_in
from schemas.work import ServedCapability


def named_versions(capabilities: Sequence[ServedCapability]) -> Named:
    """What a claim names."""
    named: dict[str, frozenset[str | None]] = {}
    for each in capabilities:
        queue = node_queue(worker_queue(each.id))
        named[queue] = named.get(queue, frozenset()) | {each.version}
    return named


def served_by(capabilities: Sequence[ServedCapability], cache: CapabilityCache) -> Served:
    """The queues of a claim, with each version that its worker can do; None for any."""
    served: dict[str, set[str | None]] = {}
    for each in capabilities:
        versions = served.setdefault(node_queue(worker_queue(each.id)), set())
        versions.add(each.version)
        own = cache.registered(each.id, each.version) if each.version is not None else None
        if own is not None:
            others = cache.versions(each.id)
            versions.update(row.version for row in others if can_stand_in(row.descriptor, own.descriptor))
    return tuple(
        (queue, version)
        for queue, versions in sorted(served.items())
        for version in ([None] if None in versions else sorted(filter(None, versions)))
    )
