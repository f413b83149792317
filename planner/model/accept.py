"""From a model's proposal to a PlanGraph that keeps every rule, or to what is wrong with the proposal."""

from __future__ import annotations

from dataclasses import dataclass

from planner.checking import plan_faults
from planner.derive.assemble import Assembly
from planner.derive.derivation import Derivation
from planner.derive.goal import Goal, Part, Slot
from planner.derive.output import Writing
from planner.derive.shaped import Shaped
from planner.derive.world import World
from planner.model.obeyed import breaches
from planner.model.proposal import MAX_RATIONALE, Proposal, ProposalRefused
from planner.model.wiring import Wired, Wiring
from planner.planner import JsonObject, diagnostic
from planner.search.search import Found
from runs.rules.budgets import beyond_budget
from runs.stored_policies import read_policies
from schemas.refusal import MAX_PROBLEMS

CAPABILITY_FORBIDDEN = "capability_forbidden"
CAPABILITY_UNUSABLE = "capability_unusable"
CAPABILITY_MISSING = "capability_missing"
CONTRACT_UNMET = "contract_unmet"
_OF_A_SEARCH = ("considered", "gap")


@dataclass(slots=True)
class Acceptance:
    """One proposal, looked at against what the contract asks for and what there is for it."""

    derivation: Derivation
    world: World
    goal: Goal
    shaped: Shaped | None
    proposal: Proposal

    def plan(self) -> JsonObject:
        """The PlanGraph in wire form. Raises ProposalRefused."""
        wiring = Wiring(self._usable(), self.world, {**self.derivation.given})
        wrong: list[JsonObject] = []
        for at, wired in enumerate(wiring.nodes.values()):
            wrong += wiring.wire(at, wired)
        taken, unmet = self._taken(wiring)
        _refuse_if(wrong + unmet)
        writing = self._writing(wiring)
        plan = self._with_its_words(writing.write(self._assembly(writing, wiring, taken), taken))
        _refuse_if(plan_faults(plan, list(self.derivation.factory.descriptors.values())))
        delivered = [node for part in taken.values() for node in wiring.last_givers(part.facet)]
        _refuse_if(breaches(self.derivation, self.world, wiring, delivered, plan))
        budget = read_policies(self.derivation.envelope).budget
        _refuse_if(beyond_budget(budget, plan) if budget is not None else [])
        return plan

    def _usable(self) -> dict[str, Wired]:
        """The proposed nodes by id. Raises ProposalRefused where one may not be used, or two have one id."""
        offers = {each.capability_id: each for each in self.world.offers}
        found: dict[str, Wired] = {}
        wrong: list[JsonObject] = []
        for at, node in enumerate(self.proposal.nodes):
            place = f"/nodes/{at}/capabilityId"
            offer = offers.get(node.capability_id)
            if offer is None:
                message = f"No capability {node.capability_id[:100]!r} is registered."
                wrong.append(diagnostic(CAPABILITY_MISSING, message, place))
            elif (reason := self.world.reason(offer)) is not None:
                code = CAPABILITY_UNUSABLE if offer.barred is None else CAPABILITY_FORBIDDEN
                message = f"{offer.capability_id} may not be used: {reason}."
                wrong.append(diagnostic(code, message, place))
            elif node.id in found:
                message = f"Another node is called {node.id!r}."
                wrong.append(diagnostic("node_id_repeated", message, f"/nodes/{at}/id"))
            else:
                found[node.id] = Wired(node, offer)
        _refuse_if(wrong)
        return found

    def _taken(self, wiring: Wiring) -> tuple[dict[Slot, Part], list[JsonObject]]:
        """The facet that fills each place of the output, and the places that nothing fills."""
        taken: dict[Slot, Part] = {}
        unmet: dict[str, JsonObject] = {}
        for slot in self.goal.slots:
            made = [part for part in slot.options if wiring.givers(part.facet)]
            if made:
                taken[slot] = made[0]
                if (miscounted := self._miscounted(wiring, made[0].facet)) is not None:
                    unmet[made[0].facet] = miscounted
            else:
                facets = list(dict.fromkeys(part.facet for part in slot.options))
                message = f"The contract wants {' or '.join(facets)}, which no node gives. "
                unmet[facets[0]] = diagnostic(CONTRACT_UNMET, message + wiring.hint(facets[0]), "/nodes")
        return taken, list(unmet.values())

    def _miscounted(self, wiring: Wiring, facet: str) -> JsonObject | None:
        wanted = self.world.copies if facet in self.world.wide else 1
        nodes = wiring.last_givers(facet)
        if len(nodes) == wanted:
            return None
        message = f"The contract takes {facet} from {wanted} nodes; here {len(nodes)} give it: "
        return diagnostic(CONTRACT_UNMET, message + ", ".join(nodes[:10]), "/nodes")

    def _assembly(self, writing: Writing, wiring: Wiring, taken: dict[Slot, Part]) -> Assembly:
        made = {facet for each in wiring.nodes.values() for facet in self.world.gives(each.offer)}
        assembly = writing.assembly(made, taken.values())
        for facet in made:
            if nodes := wiring.last_givers(facet):
                assembly.made[facet] = wiring.made(facet, nodes)
        for wired in wiring.nodes.values():
            before = assembly.nodes_of.setdefault(wired.offer.capability_id, [])
            copy = None
            if assembly.variants and assembly.is_for_a_variant(wired.offer):
                copy = min(len(before), len(assembly.variants) - 1)
            node = assembly.node(wired.offer, wired.node.id, copy, wired.facets, wired.node.depends_on)
            assembly.nodes.append({**node, "label": wired.node.label})
            before.append(wired.node.id)
        return assembly

    def _writing(self, wiring: Wiring) -> Writing:
        used = {each.offer.capability_id for each in wiring.nodes.values()}
        makers = tuple(each for each in self.world.makers if each.name in used)
        found = Found(makers, cost=1, least=0, considered=0, branches=0)
        return Writing(self.derivation, self.world, self.goal, found, self.shaped)

    def _with_its_words(self, plan: JsonObject) -> JsonObject:
        """The plan with what is to be said of one that a model has proposed."""
        metadata = {key: each for key, each in plan["metadata"].items() if key not in _OF_A_SEARCH}
        metadata |= {"planner": "model", "rationale": self.proposal.rationale[:MAX_RATIONALE]}
        return {**plan, "metadata": metadata}


def _refuse_if(wrong: list[JsonObject]) -> None:
    if wrong:
        raise ProposalRefused(wrong[:MAX_PROBLEMS])
