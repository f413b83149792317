"""Approval rules that no person could satisfy, found before the run is accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from runs.commands import Actor
from schemas import pointer
from schemas.hitl_policy import HitlPolicy
from schemas.policies import Policies
from schemas.refusal import FieldProblem

Place = tuple[str | int, ...]


class People(Protocol):
    """Whoever knows who has a token."""

    @property
    def actors(self) -> tuple[Actor, ...]: ...

    @property
    def others_may_come(self) -> bool:
        """Whether there may be people, with any roles, whom nobody knows here before they come."""
        ...


@dataclass(frozen=True, slots=True)
class NoPeople:
    """Where nobody has one."""

    actors: tuple[Actor, ...] = ()
    others_may_come: bool = False


@dataclass(frozen=True, slots=True)
class TokenHolders:
    """Those who have tokens now; none where no tokens are configured."""

    known: People = dataclasses.field(default_factory=NoPeople)

    @property
    def actors(self) -> tuple[Actor, ...]:
        return self.known.actors

    def roles_of(self, name: str) -> tuple[str, ...]:
        """The roles of this person; () for a name without a token."""
        return next((each.roles for each in self.actors if each.name == name), ())

    def voters(self, approvers: Iterable[str]) -> set[str]:
        """The different people whom these names and roles let decide.

        A role stands for all people who have it. A name that is no role here is one person: without tokens, the one who
        gives that name; with tokens, the one who has it, or the holder of a link made for it.
        """
        named = set(approvers)
        roles = {role for each in self.actors for role in each.roles}
        holders = {each.name for each in self.actors if named & {each.name, *each.roles}}
        return holders | (named - roles)


def unsatisfiable_rules(
    policies: Policies, people: TokenHolders, authors: Iterable[str]
) -> list[FieldProblem]:
    """What cannot be met of an envelope's rules, with pointers into the envelope; [] where everything can be."""
    barred = frozenset(authors)
    found: list[FieldProblem] = []
    for place, rules in policies.approval_rules():
        own = policies.hitl if place == ("hitl",) else None
        named = own.model_fields_set if own is not None else _own_fields(policies, place)
        for field, message in _unmet(rules, people, barred if rules.forbid_submitter else frozenset()):
            where = place if _wire(field) in named or field in named else ("hitl",)
            found.append(
                FieldProblem("unmeetable", pointer.build(("policies", *where, _wire(field))), message)
            )
    return found


def _own_fields(policies: Policies, place: Place) -> set[str]:
    if len(place) == 1:
        return set()
    asks = policies.runtime[int(place[1])].asks
    return asks.hitl.model_fields_set if asks is not None and asks.hitl is not None else set()


def _wire(field: str) -> str:
    return "escalateTo" if field == "escalate_to" else field


def _unmet(rules: HitlPolicy, people: TokenHolders, barred: frozenset[str]) -> Iterator[tuple[str, str]]:
    if rules.approvers:
        message = _too_few(rules.approvers, rules.quorum, people, barred)
        if message is not None:
            yield ("quorum" if rules.quorum > 1 else "approvers"), message
    if rules.on_expiry == "escalate" and rules.escalate_to is not None:
        message = _too_few([rules.escalate_to], rules.quorum, people, barred)
        if message is not None:
            yield "escalate_to", f"After escalation this could never be approved. {message}"


def _too_few(approvers: list[str], quorum: int, people: TokenHolders, barred: frozenset[str]) -> str | None:
    """Why these approvers cannot make up the quorum; None where they can, or could."""
    if people.known.others_may_come:
        return None
    voters = people.voters(approvers)
    able = voters - barred
    if len(able) >= quorum:
        return None
    who = f"{quorum} different people must approve" if quorum > 1 else "Somebody must approve"
    may = f"only {', '.join(sorted(able))} may" if able else "nobody may"
    authors = voters & barred
    why = f" ({', '.join(sorted(authors))} made the run, and forbidSubmitter is set)" if authors else ""
    hint = "" if people.actors or quorum == 1 else " Without tokens a name or role is one person."
    return f"{who}, and {may}{why}.{hint}"
