"""What the roles of a process say of themselves, for those who look at the processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from broker.interface import Broker
from eventstore.processes import ProcessRole, Telling
from runs.outstanding import PLAN_QUEUE


def tellings(roles: Iterable[str], broker: Broker) -> list[Telling]:
    """One for each role: a planner takes plans, an executor all other work."""
    return [_telling(cast("ProcessRole", role), broker) for role in sorted(roles)]


def _telling(role: ProcessRole, broker: Broker) -> Telling:
    plans = role == "planner"
    consumers = (
        []
        if role == "gateway"
        else [each for each in broker.work_consumers if (PLAN_QUEUE in each.queues) == plans]
    )
    if not consumers:
        return Telling(role)
    taken = [each.taken_seconds for each in consumers if each.taken_seconds is not None]
    return Telling(
        role,
        sorted({queue for each in consumers for queue in each.queues}),
        sum(each.slots for each in consumers),
        sum(each.busy for each in consumers),
        min(taken, default=None),
    )
