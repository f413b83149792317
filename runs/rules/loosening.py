"""What a fork would loosen: the rules of two runs, compared.

Conservative: what is not provably as strict as before is loosening, with a pointer into the fork's body and a sentence.
Tightening is free: more of a quorum, rules where there were none, an earlier end, one more policy that asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from runs.errors import NotAllowed
from runs.event import JsonObject
from runs.selectors import selects
from runs.state import NodeState, RunState
from runs.stored_policies import RunPolicies, read_names, read_policies, read_rules
from schemas.hitl_policy import HitlPolicy
from schemas.runtime_policies import RuntimePolicy

_ABOUT_THE_RUN = frozenset({"onStart", "onPlan", "onBudget"})

MAX_SHOWN = 50
"""How many loosened rules a refusal and the log name."""


@dataclass(frozen=True, slots=True)
class Loosened:
    """One rule that would be less strict; `pointer` leads into the body of a fork."""

    pointer: str
    message: str


def loosened_policies(before: JsonObject, after: JsonObject) -> list[Loosened]:
    """What the envelope `after` asks less strictly for than `before`."""
    old, new = read_policies(before), read_policies(after)
    found = list(_switches(before, after, old, new))
    found += _rules(old.hitl, new.hitl, "/policies/hitl")
    found += _runtime(old, new)
    return found


def _switches(
    before: JsonObject, after: JsonObject, old: RunPolicies, new: RunPolicies
) -> Iterator[Loosened]:
    if old.hitl.plan and not new.hitl.plan:
        yield Loosened("/policies/hitl/plan", "Nobody would approve the plan any more.")
    if old.approval_required and not new.approval_required:
        yield Loosened("/policies/requiresHitlApproval", "The output would not need approval any more.")
    policies: tuple[JsonObject, JsonObject] = (before.get("policies") or {}, after.get("policies") or {})
    for name, strict, message in (
        ("humanReview", True, "No person would look at the work any more."),
        ("fallback", "hitl", "No person would be asked any more when a node has failed."),
    ):
        was, now = (each.get(name) for each in policies)
        if was == strict and now != strict:
            yield Loosened(f"/policies/{name}", message)


def _rules(old: HitlPolicy, new: HitlPolicy, place: str) -> Iterator[Loosened]:
    if old.approvers and set(new.approvers) != set(old.approvers):
        yield Loosened(f"{place}/approvers", f"Others than {', '.join(old.approvers)} would decide.")
    if new.quorum < old.quorum:
        yield Loosened(f"{place}/quorum", f"{new.quorum} would be enough where {old.quorum} must agree.")
    if old.forbid_submitter and not new.forbid_submitter:
        yield Loosened(f"{place}/forbidSubmitter", "Authors could decide on their own work.")
    if new.on_reject not in (old.on_reject, "fail"):
        yield Loosened(f"{place}/onReject", "A rejection would not end the run as it does now.")
    yield from _ends(old, new, place)


def _ends(old: HitlPolicy, new: HitlPolicy, place: str) -> Iterator[Loosened]:
    """The end of a request's time: it may neither pass the decision to others nor approve where it did not."""
    if new.on_expiry == "reject":
        longer = new.expires_in_seconds is None or (
            old.expires_in_seconds is not None and new.expires_in_seconds > old.expires_in_seconds
        )
        if old.expires_in_seconds is not None and longer:
            yield Loosened(f"{place}/expiresInSeconds", "Requests would wait for longer.")
        return
    keys = ("on_expiry", "escalate_to", "after_escalation")
    if any(getattr(old, key) != getattr(new, key) for key in keys):
        yield Loosened(f"{place}/onExpiry", "Other things would happen at the end of a request's time.")
    if old.expires_in_seconds != new.expires_in_seconds:
        yield Loosened(f"{place}/expiresInSeconds", "A request's time would end otherwise, and not in a no.")


def _runtime(old: RunPolicies, new: RunPolicies) -> Iterator[Loosened]:
    for policy in old.runtime:
        if not _steers(policy):
            continue
        if not any(_as_strict(policy, each, old, new) for each in new.runtime):
            name = f"policy {policy.id}" if policy.id else "a policy"
            about = " and ".join(policy.watched.events) or policy.watched.kind
            message = f"{name} about {about} would not {_does(policy)} any more as it does now."
            yield Loosened("/policies/runtime", message)


_MARKING = frozenset({"log", "emit", "setPriority"})
"""Actions that change nothing in what is done."""
_WORDS = {
    "hitl": "ask people",
    "fail": "end the run",
    "pause": "pause the run",
    "replan": "have the run planned again",
}


def _steers(policy: RuntimePolicy) -> bool:
    return policy.enabled and policy.taken.type not in _MARKING


def _does(policy: RuntimePolicy) -> str:
    return _WORDS.get(policy.taken.type, "have nodes run again")


def _as_strict(policy: RuntimePolicy, other: RuntimePolicy, old: RunPolicies, new: RunPolicies) -> bool:
    asks, changed = policy.asks, other.asks
    if not other.enabled or other.watched != policy.watched:
        return False
    if asks is None or changed is None:
        return other.taken == policy.taken
    free = {"hitl": None, "rationale": None}
    if changed.model_copy(update=free) != asks.model_copy(update=free):
        return False
    was = asks.hitl.over(old.hitl) if asks.hitl else old.hitl
    now = changed.hitl.over(new.hitl) if changed.hitl else new.hitl
    return not any(_rules(was, now, ""))


def loosened_plan(
    before: Sequence[NodeState], replacing: Iterable[NodeState], policies: RunPolicies
) -> list[Loosened]:
    """What a fork's own nodes take away from people; linear in the edges.

    `before` are the original's nodes that are not kept, `replacing` those in their place. A node at which people have
    a say (they do it, are asked about it, or when it has failed) stays as it is, and what followed it follows it; a
    node that is new runs after all of them.
    """
    guards = {node.id: node for node in before if _guarded(node, policies)}
    if not guards:
        return []
    after = list(replacing)
    known, now = {node.id: node for node in before}, {node.id: node for node in after}
    found = [
        Loosened("/nodes", f"People have a say at node {guard.id}, which would be gone or another one.")
        for guard in guards.values()
        if guard.id not in now or _terms_for_people(now[guard.id]) != _terms_for_people(guard)
    ]
    bits = {node_id: 1 << place for place, node_id in enumerate(guards)}
    was, is_now, every = _guards_before(known, bits), _guards_before(now, bits), (1 << len(bits)) - 1
    for node in after:
        same = node.id in known and _terms_for_people(known[node.id]) == _terms_for_people(node)
        needed = was[node.id] if same else every & ~bits.get(node.id, 0)
        if needed & ~is_now[node.id]:
            message = f"Node {node.id} would not wait for all nodes at which people have a say."
            found.append(Loosened("/nodes", message))
    return found


def _guards_before(nodes: dict[str, NodeState], bits: dict[str, int]) -> dict[str, int]:
    """For each node those that it waits for, directly or not, as a set of bits; none in a plan with a cycle."""
    reached = dict.fromkeys(nodes, 0)
    needs = {node.id: [need for need in node.depends_on if need in nodes] for node in nodes.values()}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        return reached
    for node_id in order:
        for need in needs[node_id]:
            reached[node_id] |= reached[need] | bits.get(need, 0)
    return reached


def _guarded(node: NodeState, policies: RunPolicies) -> bool:
    if node.executor_type == "human" or node.contract.get("fallback") == "hitl":
        return True
    return any(_watches(policy, node) for policy in policies.runtime if _steers(policy))


def _watches(policy: RuntimePolicy, node: NodeState) -> bool:
    """Whether an event of this node can be what the policy watches."""
    watched = policy.watched
    return watched.kind not in _ABOUT_THE_RUN and selects(watched.selector, node)


def _terms_for_people(node: NodeState) -> tuple[Any, ...]:
    """What a node is, for its people."""
    assignees = sorted(read_names(node.bundle.get("assignees")))
    return (node.capability_id, node.kind, node.executor_type, node.contract, assignees)


def check_loosening(original: RunState, found: Sequence[Loosened], name: str, roles: Sequence[str]) -> None:
    """Raise NotAllowed unless `name` may decide under all the rules by which people are asked in `original`."""
    if not found:
        return
    asked = [rules for rules in _all_rules(original) if not _may_decide(original, rules, name, roles)]
    if asked:
        text = " ".join(each.message for each in found[:MAX_SHOWN])
        detail = (
            f"This would loosen the rules of run {original.run_id}, which takes somebody who may decide in it"
        )
        errors = [
            {"keyword": "loosened", "instancePath": each.pointer, "message": each.message}
            for each in found[:MAX_SHOWN]
        ]
        raise NotAllowed(f"{detail}, and {name} may not: {text}", errors=errors)


def _all_rules(original: RunState) -> Iterator[HitlPolicy]:
    base = original.policies.hitl
    yield base
    for policy in original.policies.runtime:
        if policy.asks is not None and policy.asks.hitl is not None:
            yield policy.asks.hitl.over(base)
    if not original.finished:
        for request in original.open_requests:
            yield read_rules(request.rules)


def _may_decide(original: RunState, rules: HitlPolicy, name: str, roles: Sequence[str]) -> bool:
    if rules.approvers and not {name, *roles} & set(rules.approvers):
        return False
    return not (rules.forbid_submitter and name in (*original.authors, *original.editors))
