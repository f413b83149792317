"""The run's output: composed, checked against the caller's contract, delivered or sent back to who made it."""

from __future__ import annotations

from datetime import datetime

from executor.checks import NotChecked, OutputChecker
from runs.commands import Command, DeliverOutput, FailRun
from runs.composition import CompositionError, composed_output, part_at, referenced_nodes
from runs.event import Json, JsonObject
from runs.state import RunState
from schemas.contract_schema import effective_schema


class FinalOutput:
    """Makes the command that ends a run whose output is due. One object serves one transaction.

    A transaction that meets a conflict is built again; the verdict on an output that is still the same is kept.
    """

    def __init__(self, checker: OutputChecker) -> None:
        self._checker = checker
        self._verdict: tuple[Json, tuple[JsonObject, ...]] | None = None

    async def command(self, state: RunState, now: datetime) -> Command:
        """DeliverOutput, or FailRun where nothing can be composed or judged. Raises CheckerUnavailable."""
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
        if self._verdict is None or self._verdict[0] != output:
            schema = effective_schema(state.envelope["outputContract"])
            self._verdict = (output, await self._checker.check(schema, output))
        return self._verdict[1]


def nodes_to_repair(state: RunState, errors: tuple[JsonObject, ...]) -> tuple[str, ...]:
    """The nodes that made what the contract rejects; all that the output is made of where no place can be told.

    A transformation passes on what it was given: when running it again did not help, the nodes that feed it run too.
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
