"""What a fork takes over from the run that it was made from, once it has a plan."""

from __future__ import annotations

from collections.abc import Mapping

from runs import new_events
from runs.draft import Draft
from runs.event_data import ReuseData, ReuseOrigin
from runs.fork_reuse import judge
from runs.state import NodeState

_SHOWN = 20


def take_over(
    draft: Draft, told: ReuseData | None, may_reuse: Mapping[str, NodeState], anew: Mapping[str, str]
) -> None:
    """Say what is reused, and why the rest is not.

    `told` are outputs that commands of their own take over. A fork that was planned anew takes over those of the nodes
    in `may_reuse` which the plan has unchanged; `anew` says of the other nodes of its original why they are done again.
    """
    if told is not None:
        _say(draft, told)
        return
    if not may_reuse and not anew:
        return
    origin = str((draft.state.origin or {}).get("runId"))
    reuse = judge(may_reuse, draft.state.nodes, {})
    data = reuse.data(origin)
    data["notReused"] += [{"nodeId": node_id, "why": why} for node_id, why in anew.items()]
    _say(draft, data)
    for node in reuse.reused:
        where: ReuseOrigin = {"runId": origin, "attempt": node.attempt, "approved": list(node.approved)}
        draft.add(new_events.node_reused(draft.node(node.id), node.output, where))


def _say(draft: Draft, data: ReuseData) -> None:
    reused = [each["nodeId"] for each in data["reused"]]
    others = [f"{each['nodeId']} ({each['why']})" for each in data["notReused"]]
    total = len(reused) + len(others)
    message = f"took over {len(reused)} of {total} nodes of run {data['runId']}"
    message += f": {_listed(reused)}" if reused else ""
    message += f"; not taken over: {_listed(others)}" if others else ""
    draft.add(new_events.reuse(message, data))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
