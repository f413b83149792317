"""What a seed stands for: the machines, the runs with their rules, the orders, and the faults with their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from uuid import UUID

from runs import commands as c
from runs.event import JsonObject
from schemas.contract_schema import with_facets
from simulation.capabilities import FACET_NAMES, ORDERED, facet
from simulation.engine import Roles
from simulation.machines import Machine

MOST_RUNS = 3
_FACETS = {name: facet(name) for name in FACET_NAMES}


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a caller starts, and what operators order."""

    id: str
    envelope: JsonObject
    after_seconds: float
    orders: tuple[tuple[type[c.ControlRun], float], ...]
    readers: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """Drawn from a seed. Trouble is over after `trouble_seconds`; a calm one has none, a rough one more."""

    machines: tuple[tuple[str, Roles], ...]
    queues: bool
    runs: tuple[Run, ...]
    trouble_seconds: float
    calm: bool
    rough: bool
    lost_answers: float


def drawn(random: Random) -> Scenario:
    """The scenario of a seed."""
    apart = random.random() < 0.4
    workers = (
        (
            ("planner", Roles(plans=True)),
            ("executor-a", Roles(executes=True)),
            ("executor-b", Roles(executes=True)),
        )
        if apart
        else (("worker-a", Roles(plans=True, executes=True)), ("worker-b", Roles(plans=True, executes=True)))
    )
    gateways = (("gateway-a", Roles(serves=True)), ("gateway-b", Roles(serves=True)))
    trouble_seconds = 4 + random.random() * 12
    return Scenario(
        machines=(*workers, *gateways[: random.choice((1, 2))]),
        queues=random.random() < 0.5,
        runs=tuple(_run(random, trouble_seconds) for _ in range(random.randint(1, MOST_RUNS))),
        trouble_seconds=trouble_seconds,
        calm=random.random() < 0.1,
        rough=random.random() < 0.3,
        lost_answers=random.random() ** 2 * 0.3,
    )


def _run(random: Random, trouble_seconds: float) -> Run:
    orders: list[tuple[type[c.ControlRun], float]] = []
    if random.random() < 0.25:
        orders.append((c.AbortRun, random.random() * 5))
    if random.random() < 0.25:
        at = random.random() * 4
        orders += [(c.PauseRun, at), (c.ResumeRun, at + random.random() * 10)]
    run_id = str(UUID(int=random.getrandbits(128), version=4))
    after_seconds = 0.3 + random.random() * trouble_seconds * 0.6
    return Run(run_id, _envelope(random), after_seconds, tuple(orders), random.choice((0, 0, 1)))


def _envelope(random: Random) -> JsonObject:
    wanted = random.sample(ORDERED, random.randint(1, len(ORDERED)))
    policies: JsonObject = {
        "fallback": random.choice(("retry", "retry", "hitl")),
        "maxAttempts": random.randint(1, 4),
    }
    if random.random() < 0.5:
        policies |= {"requiresHitlApproval": True, "hitl": _rules(random)}
    constraints: JsonObject = {}
    if random.random() < 0.15:
        constraints["deadlineSeconds"] = random.randint(4, 40)
    contract = with_facets({"mode": "facets", "facets": sorted(wanted)}, _FACETS)
    return {
        "objective": "Make it",
        "outputContract": contract,
        "policies": policies,
        "constraints": constraints,
    }


def _rules(random: Random) -> JsonObject:
    rules: JsonObject = {
        "quorum": random.choice((1, 1, 2, 3)),
        "onReject": random.choice(("fail", "rerun", "replan")),
    }
    if random.random() < 0.6:
        rules |= {"expiresInSeconds": random.randint(2, 20), "onExpiry": random.choice(("reject", "approve"))}
    return rules


Fault = tuple[float, Callable[[], None]]
"""When, and what happens."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What faults are done with."""

    machines: tuple[Machine, ...]
    database_down: Callable[[float], None]
    database_jumps: Callable[[float], None]
    queues_down: Callable[[float], None]
    clock_jumps: Callable[[Machine, float], None]


def drawn_faults(random: Random, scenario: Scenario, hands: Hands) -> list[Fault]:
    """The faults of a seed that happen at a time."""
    if scenario.calm:
        return []
    faults: list[Fault] = []
    workers = [machine for machine in hands.machines if not machine.roles.serves]
    for _ in range(random.randint(5, 12) if scenario.rough else random.randint(1, 8)):
        at = random.random() * scenario.trouble_seconds
        machine = random.choice(workers if random.random() < 0.6 else hands.machines)
        faults.append((at, _kill(random, machine) if scenario.rough else _fault(random, machine, hands)))
    return faults


def _kill(random: Random, machine: Machine) -> Callable[[], None]:
    callbacks, down = int(random.random() ** 2 * 200), random.random() * 4
    return lambda: machine.kill(callbacks, down)


def _fault(random: Random, machine: Machine, hands: Hands) -> Callable[[], None]:
    seconds = random.random()
    faults: tuple[tuple[int, Callable[[], None]], ...] = (
        (8, _kill(random, machine)),
        (2, lambda: machine.stop(seconds * 3)),
        (3, lambda: machine.stall(seconds * 15)),
        (2, lambda: hands.database_down(0.05 + seconds * 6)),
        (1, lambda: hands.database_jumps((seconds - 0.4) * 40)),
        (2, lambda: hands.queues_down(seconds * 8)),
        (1, lambda: hands.clock_jumps(machine, (seconds - 0.5) * 7200)),
    )
    weights, happenings = zip(*faults, strict=True)
    return random.choices(happenings, weights)[0]
