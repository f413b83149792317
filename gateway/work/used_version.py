"""Which of its versions a worker uses for a node whose plan names another one."""

from __future__ import annotations

from collections.abc import Mapping

from eventstore.capability_cache import CapabilityCache
from runs.outstanding import node_queue
from runs.state import NodeState
from schemas.capability import version_order
from schemas.same_contract import can_stand_in


def used_version(
    node: NodeState, named: Mapping[str, frozenset[str | None]], cache: CapabilityCache
) -> str | None:
    """The version that works in the place of the one that the plan names; None where it is that one."""
    planned = node.capability_version
    versions = named.get(node_queue(node.queue), frozenset())
    if planned is None or None in versions:
        return None
    by_order = sorted((each for each in versions if each is not None), key=version_order, reverse=True)
    if any(version_order(each) == version_order(planned) for each in by_order):
        return None
    row = cache.registered(node.capability_id, planned)
    for each in by_order:
        own = cache.registered(node.capability_id, each)
        if row is None or (own is not None and can_stand_in(row.descriptor, own.descriptor)):
            return each
    return None
