"""What a run is accepted under: the house's own policy, and rules of approval that can be met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from gateway.errors import PlanInvalid
from gateway.runs.approval_rules import TokenHolders, unsatisfiable_rules
from runs.commands import AcceptPlan, Command, StartRun
from runs.event import Json, JsonObject
from schemas.base import Model, wire_name
from schemas.envelope import Constraints
from schemas.hitl_policy import HitlPolicy
from schemas.house_policy import HousePolicy, HouseRules
from schemas.parsing import validate_document
from schemas.policies import Policies
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.setting_document import SettingInvalid, read_setting
from schemas.tightening import apply_house_policy


class HousePolicyInvalid(ValueError):
    """`FLEXRUN_POLICIES` cannot be read, or cannot be met; the text names the place."""


def read_house(text: str | None) -> HousePolicy:
    """The house's policy from a setting: JSON, the path of a JSON file, or nothing. Raises HousePolicyInvalid."""
    try:
        return read_setting(HousePolicy, "FLEXRUN_POLICIES", text) or HousePolicy()
    except SettingInvalid as invalid:
        raise HousePolicyInvalid(str(invalid)) from None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Checks every run before it is stored: new ones, forks and retries."""

    house: HousePolicy = field(default_factory=HousePolicy)
    people: TokenHolders = field(default_factory=TokenHolders)

    def check_house(self) -> None:
        """Raise HousePolicyInvalid where no person could satisfy the house's own rules."""
        rules: HouseRules = self.house.hitl
        policies = Policies(hitl=HitlPolicy(approvers=rules.approvers, quorum=rules.quorum))
        problems = unsatisfiable_rules(policies, self.people, ())
        if problems:
            place = problems[0].pointer.removeprefix("/policies")
            raise HousePolicyInvalid(f"FLEXRUN_POLICIES: {place}: {problems[0].message}")

    def start(self, command: StartRun) -> StartRun:
        """The command under the house's policy. Raises DocumentRefused with places in the envelope."""
        house = self.house.to_wire()
        _ruled(command.envelope)
        if house:
            envelope, applied = apply_house_policy(command.envelope, self.house, self.people.roles_of)
            command = replace(command, envelope=envelope, house={"policy": house, "applied": applied})
        policies = _ruled(command.envelope).policies
        problems = unsatisfiable_rules(policies, self.people, _authors(command))
        if problems:
            raise DocumentRefused(problems)
        return command

    def _refuse_authors_alone(self, command: StartRun) -> None:
        """Raise DocumentRefused where `forbidSubmitter` leaves too few to decide; what is wrong else is left alone."""
        try:
            policies = _ruled(command.envelope).policies
        except DocumentRefused:
            return
        others = {(each.pointer, each.code) for each in unsatisfiable_rules(policies, self.people, ())}
        found = unsatisfiable_rules(policies, self.people, _authors(command))
        problems = [each for each in found if (each.pointer, each.code) not in others]
        if problems:
            raise DocumentRefused(problems)

    def fork(self, commands: Sequence[Command], *, changed: bool) -> list[Command]:
        """The commands of a fork or retry under the house's policy. Raises DocumentRefused, PlanInvalid.

        Rules that a retry takes over as they are (`changed` is False) are not asked again whether they can be met, but
        whether there are still people to satisfy them who are no authors: the person who retries becomes one.
        """
        start, *rest = commands
        if not isinstance(start, StartRun):
            return list(commands)
        if not (changed or self.house.to_wire()):
            self._refuse_authors_alone(start)
            return list(commands)
        plan = next((each.plan for each in rest if isinstance(each, AcceptPlan)), None)
        faults = self.house.plan_faults(plan) if plan is not None else []
        if faults:
            problems = [FieldProblem(each.code, each.path, each.message) for each in faults]
            raise PlanInvalid("The house does not allow this plan.", errors=problems)
        return [self.start(start), *rest]


def _authors(command: StartRun) -> list[str]:
    return [*command.authors, *filter(None, [command.submitted_by])]


class _Ruled(Model):
    """The parts of an envelope that the rules read."""

    policies: Policies = Policies()
    constraints: Constraints = Constraints()


def _ruled(envelope: JsonObject) -> _Ruled:
    """The rules of an envelope, which may have been stored in an older time. Raises DocumentRefused."""
    return validate_document(
        _Ruled, {name: _known(envelope.get(name), model) for name, model in _MODELS.items()}
    )


def _known(part: Json, model: type[Model]) -> JsonObject:
    names = {wire_name(name) for name in model.model_fields}
    known = cast(JsonObject, part) if isinstance(part, dict) else {}
    return {key: value for key, value in known.items() if key in names}


_MODELS: dict[str, type[Model]] = {"policies": Policies, "constraints": Constraints}
