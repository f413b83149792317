"""What the registered capabilities offer, and why some of them may have no part in a plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from planner.derive.costs import Estimate, read_estimate
from planner.planner import JsonObject
from planner.text import as_list, as_object
from schemas.house_policy import is_among
from schemas.planner_policies import PlannerPolicies

PEOPLE = "human"


@dataclass(frozen=True, slots=True)
class Offer:
    """A capability, with the facets that it needs, those that it may take as well, and those of which it takes many.

    `needs_inputs` are keys that its inputSchema requires. `barred` says why it may have no part in a plan.
    """

    capability_id: str
    needs: tuple[str, ...]
    may_take: tuple[str, ...]
    many: frozenset[str]
    gives: tuple[str, ...]
    kind: str
    names: frozenset[str]
    """What a policy may call it: its id, its tags, the type of its home."""

    served: bool
    people: bool
    estimate: Estimate
    needs_inputs: frozenset[str] = frozenset()
    takes_inputs: bool = False
    input_keys: tuple[str, ...] = ()
    """Of the inputs what a capability that takes facets takes as well."""

    checks: frozenset[str] = frozenset()
    """Facets that it looks at in every plan that makes them."""

    node_name: str = ""
    barred: str | None = None

    def called(self, names: Collection[str]) -> bool:
        """Whether one of these names is its."""
        return not self.names.isdisjoint(names)


def read_offer(
    descriptor: JsonObject,
    policies: PlannerPolicies,
    forbidden: Sequence[str] = (),
    tried: Collection[str] = (),
    spoken: Collection[str] | None = None,
) -> Offer:
    """What a descriptor (wire form) says. The house forbids `forbidden` ids, or beginnings of ids with `*`; the run
    has `tried` others. `spoken` are the words of the envelope; None where it does not matter what they are."""
    taken = [
        as_object({"name": each} if isinstance(each, str) else each)
        for each in as_list(descriptor.get("facetsIn"))
    ]
    schema = as_object(descriptor.get("inputSchema"))
    home = as_object(descriptor.get("home")).get("type") or "python"
    capability_id, kind = str(descriptor.get("id")), str(descriptor.get("kind") or "execution")
    names = frozenset({capability_id, str(home), *map(str, as_list(descriptor.get("tags")))})
    return Offer(
        capability_id=capability_id,
        needs=tuple(str(each.get("name")) for each in taken if each.get("required", True)),
        may_take=tuple(str(each.get("name")) for each in taken if not each.get("required", True)),
        many=frozenset(str(each.get("name")) for each in taken if each.get("many")),
        gives=tuple(str(each) for each in as_list(descriptor.get("facetsOut"))),
        kind=kind,
        names=names,
        served=descriptor.get("status") not in ("silent", "failing"),
        people=descriptor.get("agentType") == PEOPLE,
        estimate=read_estimate(descriptor),
        needs_inputs=frozenset(map(str, as_list(schema.get("required")))) if not taken else frozenset(),
        takes_inputs=bool(schema) and not taken,
        input_keys=tuple(as_object(schema.get("properties"))) if taken else (),
        checks=frozenset(map(str, as_list(descriptor.get("checks")))),
        node_name=str(descriptor.get("nodeName") or capability_id),
        barred=_barred(descriptor, names, policies, forbidden, tried) or _not_about(descriptor, spoken),
    )


def _barred(
    descriptor: JsonObject,
    names: frozenset[str],
    policies: PlannerPolicies,
    forbidden: Sequence[str],
    tried: Collection[str],
) -> str | None:
    capability_id, kind = str(descriptor.get("id")), str(descriptor.get("kind") or "execution")
    if capability_id in tried:
        return "it was tried in this run, and is not used again"
    if descriptor.get("status") == "disabled":
        return "it is disabled"
    if is_among(capability_id, forbidden):
        return "the house forbids it"
    if not names.isdisjoint(policies.selection.forbid):
        return "policies.planner.selection.forbid names it"
    if kind in policies.topology.forbidden_kinds:
        return f"policies.planner.topology.forbiddenKinds names its kind, {kind}"
    return None


def _not_about(descriptor: JsonObject, spoken: Collection[str] | None) -> str | None:
    """Why the envelope is none for a capability that says what envelopes speak of for which it is."""
    about = [str(each) for each in as_list(descriptor.get("about"))]
    if not about or spoken is None or any(each.casefold() in spoken for each in about):
        return None
    return f"it is for tasks about {' or '.join(about)}, of which neither the objective nor the inputs speak"


def read_offers(
    descriptors: Mapping[str, JsonObject],
    policies: PlannerPolicies,
    forbidden: Sequence[str] = (),
    tried: Collection[str] = (),
    spoken: Collection[str] | None = None,
) -> list[Offer]:
    """All of them, in the order of their ids."""
    return [
        read_offer(descriptor, policies, forbidden, tried, spoken)
        for _, descriptor in sorted(descriptors.items())
    ]


def givers_of(facet: str, offers: Iterable[Offer]) -> list[Offer]:
    """Every capability that gives the facet, whether it may and can be used or not."""
    return [each for each in offers if facet in each.gives]
