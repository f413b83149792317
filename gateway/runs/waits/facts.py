"""What is known of a run that may not move: its rows, its work with the leases, the registry, the processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from eventstore import leases
from eventstore.capabilities import CapabilityRow
from eventstore.leases import WorkRow
from eventstore.limits import ParkedRow, parked_of_run
from eventstore.queries.runs import NodeRow, RunDetailRow
from eventstore.tenancy import EVERY_TENANT, working_for
from gateway.deps import Gateway
from gateway.runs.version_waits import version_waits
from runs.event import JsonObject

MAX_WORK = 1_000
"""How many pieces of a run's work are looked at: those that are due first."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """`outages` are the servers that the gateway does not reach, with the time since when.

    `parked` is by node: what waits for a limit, an endpoint or a callback. `versions` is by node, too: in words, what
    the registry lacks for it. `roles` are those of the processes that listen now.
    """

    row: RunDetailRow
    now: datetime
    work: Sequence[WorkRow] = ()
    outages: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    parked: Mapping[str, ParkedRow] = field(default_factory=dict[str, ParkedRow])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    capabilities: Mapping[str, CapabilityRow] = field(default_factory=dict[str, CapabilityRow])
    roles: frozenset[str] = frozenset()
    nodes: Mapping[str, NodeRow] = field(default_factory=dict[str, NodeRow])
    """Those of the plan in force, by id."""

    def node_of(self, work: WorkRow) -> NodeRow | None:
        """The node that a piece of work is about, if it is one's."""
        return self.nodes.get(work.ref) if work.kind == "node" else None


async def facts_of(gateway: Gateway, row: RunDetailRow) -> RunFacts:
    """The facts of a run that is not over. Raises StoreUnavailable."""
    store, run_id, now = gateway.deps.store, row.run.run_id, gateway.deps.clock()
    await gateway.capabilities.current()
    with working_for(EVERY_TENANT):
        roles = await gateway.readiness.roles_present()
    return RunFacts(
        row=row,
        now=now,
        work=await leases.work_of_run(store, run_id, limit=MAX_WORK),
        outages={
            kind: now - timedelta(seconds=seconds) for kind, seconds in gateway.outage_seconds().items()
        },
        parked={each.ref: each for each in await parked_of_run(store, run_id)},
        versions=version_waits(gateway.capabilities, row.nodes),
        capabilities=_registered(gateway, row.nodes),
        roles=roles,
        nodes={node.node_id: node for node in row.nodes},
    )


def _registered(gateway: Gateway, nodes: Sequence[NodeRow]) -> dict[str, CapabilityRow]:
    """Node id → the version that the node was planned for, or the one in its place."""
    found = {
        node.node_id: gateway.capabilities.known_version(node.capability_id, node.capability_version)
        for node in nodes
    }
    return {node_id: row for node_id, row in found.items() if row is not None}


def node_waits(facts: RunFacts) -> dict[str, JsonObject]:
    """Node id → the fields of its `waitingFor`: a limit, an endpoint, a callback, or a version that nobody has."""
    waits: dict[str, JsonObject] = {
        node_id: {"kind": "version", "message": words, "until": None}
        for node_id, words in facts.versions.items()
    }
    return waits | {
        ref: {"kind": each.kind, "message": each.words, "until": each.lease_until}
        for ref, each in facts.parked.items()
    }
