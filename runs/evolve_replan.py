"""Folding a wish for another plan, and what a new plan takes over from the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runs.event_data import ReplanDetail
from runs.state import NodeState, ReplanState, RunState
from runs.values import changed


def wants_plan(state: RunState, wish: ReplanDetail) -> RunState:
    """A new plan is due. A second wish, before it is there, adds to the first."""
    before = state.replan
    redo = wish.get("redo")
    words = wish.get("rationale") or wish["cause"]
    if before is not None:
        redo = None if before.redo is None or redo is None else [*before.redo, *redo]
        words = _together(state.replan_reason, words)
    wanted = ReplanState(
        cause=before.cause if before is not None else wish["cause"],
        after_attempt=before.after_attempt if before is not None else state.plan_attempt,
        redo=tuple(dict.fromkeys(redo)) if redo is not None else None,
        absent=_both(before.absent if before is not None else (), wish.get("absent", ())),
    )
    not_again = _both(state.not_again, wish.get("without", ()))
    return changed(state, replan_reason=words, replan=wanted, not_again=not_again)


def _together(before: str | None, words: str) -> str:
    return words if before is None or before == words else f"{before}; {words}"


def _both(before: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *more)))


def carry_over(
    state: RunState, nodes: Mapping[str, NodeState], carried: Iterable[str]
) -> tuple[dict[str, NodeState], dict[str, int]]:
    """The nodes of the new plan, those in `carried` as they are, and the last attempts of nodes that it has not.

    A node that has a name of before goes on from the last attempt of that name, so that no late answer is taken for
    one of its own.
    """
    past = {**state.past_attempts, **{node.id: node.attempt for node in state.nodes.values() if node.attempt}}
    going_on = {node_id: state.nodes[node_id] for node_id in carried}
    new = {
        node_id: going_on.get(node_id) or changed(node, attempt=past.get(node_id, 0))
        for node_id, node in nodes.items()
    }
    return new, {node_id: attempt for node_id, attempt in past.items() if node_id not in new}
