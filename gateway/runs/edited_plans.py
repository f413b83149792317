"""Plans that people send: in the place of one that they are asked about, or for a fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.checker import ContractChecker
from contracts.problems import CheckerUnavailable, SchemaRefused
from eventstore.capability_cache import CapabilityCache
from gateway.runs.trial_planner import PlanCheck
from runs.event import Json, JsonObject
from runs.rules.planning import as_error
from schemas.refusal import MAX_PROBLEMS

PlanErrors = tuple[JsonObject, ...]

_CAPABILITY_MISSING = "capability_missing"


@dataclass(frozen=True, slots=True)
class EditedPlans:
    """Completes and checks them as the planner's own plans are checked."""

    check: PlanCheck | None
    capabilities: CapabilityCache
    contracts: ContractChecker

    async def checked(
        self, envelope: JsonObject, sent: Json, base: JsonObject, forbidden: Sequence[str]
    ) -> tuple[Json, PlanErrors]:
        """The plan as it would be kept, and errors with places in it. Raises CheckerUnavailable.

        `base` is the plan in whose place it is sent; the house forbids the capabilities in `forbidden`.
        """
        answer = await self._ask(envelope, sent, base, forbidden)
        if any(each["code"] == _CAPABILITY_MISSING for each in answer.get("diagnostics", [])):
            # What was just registered may not be known here.
            await self.capabilities.refresh()
            answer = await self._ask(envelope, sent, base, forbidden)
        if "plan" not in answer:
            return sent, tuple(as_error(each) for each in answer["diagnostics"])
        return answer["plan"], await self._schema_errors(answer["plan"], base)

    async def _ask(
        self, envelope: JsonObject, sent: Json, base: JsonObject, forbidden: Sequence[str]
    ) -> JsonObject:
        if self.check is None:
            msg = "this gateway was started without a planner, which checks plans"
            raise CheckerUnavailable(msg)
        return await self.check(envelope, sent, base, await self.capabilities.current(), forbidden)

    async def _schema_errors(self, plan: JsonObject, base: JsonObject) -> PlanErrors:
        """What is wrong with the contracts of nodes that the plan before did not have."""
        known = [_output_contract(node) for node in base["nodes"]]
        errors: list[JsonObject] = []
        for index, node in enumerate(plan["nodes"]):
            schema = _output_contract(node)
            if schema is None or schema in known or len(errors) >= MAX_PROBLEMS:
                continue
            try:
                await self.contracts.compile(schema)
            except SchemaRefused as refused:
                place = f"/nodes/{index}/contract/output"
                errors += [
                    as_error({"code": each.code, "message": each.message, "path": place + each.pointer})
                    for each in refused.problems
                ]
        return tuple(errors)


def _output_contract(node: JsonObject) -> Json:
    contract: JsonObject = node.get("contract") or {}
    return contract.get("output")
