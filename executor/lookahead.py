"""Doing as much as possible in one append: a result, and what it makes possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from contracts.problems import CheckerUnavailable
from executor.context import HUMAN
from executor.final_output import FinalOutput
from runs.commands import Command, StartNode
from runs.decide import Decided
from runs.outstanding import Work, outstanding
from runs.state import NodeState, RunState

_log = structlog.get_logger("executor")


async def look_ahead(
    state: RunState,
    commands: Sequence[Command],
    final: FinalOutput,
    take: Callable[[NodeState], bool],
    now: datetime,
) -> Decided:
    """What follows from `commands`, and from that at once: delivering the output, starting nodes that became ready.

    One node that `take` accepts is started, for the caller to go on with; the others are for the brokers to carry.
    Every node that is a person is started, since nobody has to work on it. Raises what `step` raises for `commands`.
    """
    decided = Decided(state).then(*commands)
    if ("output", "") in outstanding(decided.state):
        try:
            delivery = await final.command(decided.state, now)
        except CheckerUnavailable as failure:
            if not commands:
                raise
            # The result must not be lost with the check: the output stays outstanding work.
            _log.warning("output_not_checked", run_id=state.run_id, reason=str(failure))
            return decided
        decided = decided.then(delivery)
    return start_ready(state, decided, take, now)


def start_ready(
    before: RunState, decided: Decided, take: Callable[[NodeState], bool], now: datetime
) -> Decided:
    """`decided`, and the start of nodes that it makes ready: one that `take` accepts, and all that are people."""
    ahead = decided.state
    starts: list[Command] = []
    taken = False
    for work in _new_node_work(before, ahead):
        node = ahead.nodes[work.ref]
        human = node.executor_type == HUMAN
        if human or (not taken and take(node)):
            starts.append(StartNode(now=now, node_id=node.id, attempt=work.attempt))
            taken = taken or not human
    return decided.then(*starts)


def _new_node_work(before: RunState, ahead: RunState) -> list[Work]:
    """Nodes that can start now and could not before; for the others there are hints on their way already."""
    known = outstanding(before)
    return [
        work
        for key, work in outstanding(ahead).items()
        if work.kind == "node" and not work.started and work.due_at is None and known.get(key) != work
    ]
