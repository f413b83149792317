"""What one append can hold beside a result: the run's output, where that is due, and the start of nodes made ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from contracts.problems import CheckerUnavailable
from executor.checks import NotChecked, OutputChecker
from executor.context import HUMAN
from runs.commands import Command, DeliverOutput, FailRun, StartNode
from runs.composition import CompositionError, composed_output, part_at, referenced_nodes
from runs.decide import Decided
from runs.event import Json, JsonObject
from runs.outstanding import Work, output_is_outstanding, outstanding
from runs.state import NodeState, RunState
from runs.transitions import READY
from schemas.contract_schema import effective_schema

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


async def look_ahead(
    state: RunState,
    commands: Sequence[Command],
    final: FinalOutput,
    take: Callable[[NodeState], bool],
    now: datetime,
) -> Decided:
    """Decide `commands`, then the output if it is due, then the start of nodes that became ready.

    Raises RunError where the rules refuse `commands`, CheckerUnavailable where there are none and the check fails.
    """
    decided = Decided(state).then(*commands)
    if output_is_outstanding(decided.state):
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
    """`decided`, and the start of nodes that it makes ready.

    Of the nodes that `take` accepts one is started, and the caller runs it; the broker carries hints of the others.
    Human nodes are all started, since no worker runs them.
    """
    after = decided.state
    starts: list[Command] = []
    taken = False
    for work in _new_node_work(before, after):
        node = after.nodes[work.ref]
        human = node.executor_type == HUMAN
        if human or (not taken and take(node)):
            starts.append(StartNode(now=now, node_id=node.id, attempt=work.attempt))
            taken = taken or not human
    return decided.then(*starts)


def _new_node_work(before: RunState, after: RunState) -> list[Work]:
    """Nodes that can start now and could not before; hints of the others are on their way already."""
    if not _can_start_more(before, after):
        return []
    known = outstanding(before)
    return [
        work
        for key, work in outstanding(after).items()
        if work.kind == "node" and not work.started and work.due_at is None and known.get(key) != work
    ]


def _can_start_more(before: RunState, after: RunState) -> bool:
    """Whether a node became ready or may have been let go: most results of a wide run change neither."""
    if (before.status, before.plan_version, before.replan_reason, before.open_ids) != (
        after.status,
        after.plan_version,
        after.replan_reason,
        after.open_ids,
    ):
        return True
    return any(
        node.status == READY and before.nodes.get(node.id) is not node for node in after.nodes.values()
    )


class FinalOutput:
    """Composes the output of a run and checks it. One object serves one append.

    An append that meets a conflict is decided again; the errors of an output that is still the same are kept.
    """

    def __init__(self, checker: OutputChecker) -> None:
        self._checker = checker
        self._checked: tuple[Json, tuple[JsonObject, ...]] | None = None

    async def command(self, state: RunState, now: datetime) -> Command:
        """DeliverOutput, or FailRun where the output cannot be composed or checked. Raises CheckerUnavailable."""
        try:
            output = composed_output(state)
        except CompositionError as error:
            return FailRun(now=now, error_code="composition_failed", message=str(error))
        try:
            errors = await self._errors(state, output)
        except NotChecked as failure:
            return FailRun(now=now, error_code=failure.code, message=failure.message)
        return DeliverOutput(now=now, output=output, errors=errors, repair=nodes_to_repair(state, errors))

    async def _errors(self, state: RunState, output: Json) -> tuple[JsonObject, ...]:
        if self._checked is None or self._checked[0] != output:
            schema = effective_schema(state.envelope["outputContract"])
            self._checked = (output, await self._checker.check(schema, output))
        return self._checked[1]


def nodes_to_repair(state: RunState, errors: tuple[JsonObject, ...]) -> tuple[str, ...]:
    """The nodes whose outputs the contract rejects; all that the output is composed of where the errors name no place.

    A transformation passes its input on: when running it again did not help, the nodes before it run again too.
    """
    if not errors:
        return ()
    makers = _makers(state, errors)
    if state.final_attempt > 0:
        transformations = [
            state.nodes[node_id] for node_id in makers if state.nodes[node_id].kind == "transformation"
        ]
        makers += [need for node in transformations for need in node.depends_on]
    return tuple(dict.fromkeys(makers))


def _makers(state: RunState, errors: tuple[JsonObject, ...]) -> list[str]:
    template = state.plan_metadata.get("composition")
    if template is None:
        return [list(state.nodes)[-1]]
    # An `if` is reported for the whole value that it judges, after what is wrong inside.
    exact = [error for error in errors if error.get("keyword") != "if"] or errors
    parts = [part_at(template, str(error.get("instancePath", ""))) for error in exact]
    each_once = {id(part): part for part in parts}
    return [node_id for part in each_once.values() for node_id in referenced_nodes(part)] or referenced_nodes(
        template
    )
