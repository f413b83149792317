"""Every process and server is killed while runs are served: every accepted run ends once, with the right result.

The same code as `make soak`, in a short form; see bench/soak.
"""

import sys
from pathlib import Path

import pytest

from bench.soak.soak import Plan, Soak

KILLS = {
    "postgres": (
        "kill planner",
        "kill executor",
        "kill gateway",
        "freeze executor",
        "kill postgres",
        "cut postgres",
        "jump clock",
        "stop gateway",
    ),
    "rabbitmq": (
        "kill planner",
        "kill executor",
        "kill gateway",
        "kill rabbitmq",
        "restart rabbitmq",
        "restart postgres",
        "refuse link to rabbitmq",
        "stall link to postgres",
        "stop executor",
    ),
}


@pytest.mark.parametrize("broker", ["postgres", "rabbitmq"])
@pytest.mark.timeout(240)
async def test_kills_and_restarts_under_load_break_no_promise(broker: str, tmp_path: Path) -> None:
    plan = Plan(broker=broker, seconds=8, seed=20261122, customers=8, faults=KILLS[broker], each_once=True)
    summary = await Soak(plan, tmp_path).run()
    sys.stderr.write(summary["lastWords"])
    assert not summary["breaches"], "\n".join(summary["breaches"])
    assert set(summary["faults"]) == set(KILLS[broker])
    assert summary["accepted"] == summary["readToTheEnd"] > 20
    assert summary["takenOver"], "no process was killed while it was at work"
