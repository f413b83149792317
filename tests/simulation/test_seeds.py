"""A thousand seeds keep every promise, a seed replays exactly, and bugs that are put in on purpose are found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.bugs import BUGS, Bug
from tests.support.waiting import DEADLINE_SECONDS

ROOT = Path(__file__).parents[2]
SEEDS = 1_000
ALL_SECONDS = 20 * DEADLINE_SECONDS
"""For a thousand seeds, which take half a minute on two cores that have nothing else to do."""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "simulation", *words]


def run(*words: str) -> tuple[int, dict[str, Any]]:
    """The exit status and the JSON document of the command."""
    ended = subprocess.run(
        command("--json", *words), cwd=ROOT, capture_output=True, text=True, timeout=ALL_SECONDS, check=False
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.timeout(ALL_SECONDS)
def test_a_thousand_seeds_keep_every_promise() -> None:
    status, found = run("--seeds", str(SEEDS), "--jobs", "2")
    assert found["broken"] == {}
    assert status == 0
    assert found["seeds"] == SEEDS
    happened = set(found["facts"])
    assert happened >= {
        "node_error", "validation_error", "plan_rejected", "plan_updated", "run_paused", "run_resumed", "hitl_expiring",
        "hitl_resolved", "refused request_expired", "refused request_resolved",
    }, "the faults and the people have become too tame"  # fmt: skip


@pytest.mark.timeout(ALL_SECONDS)
def test_the_same_seed_gives_the_same_trace_in_whatever_company() -> None:
    _, many = run("--seeds", "60", "--jobs", "2", "--hashes")
    _, few = run("--seeds", "20", "--from", "40", "--jobs", "1", "--hashes")
    assert few["hashes"] == {seed: many["hashes"][seed] for seed in few["hashes"]}
    assert len(set(many["hashes"].values())) == 60
    _, one = run("--seed", "47")
    assert one["trace_hash"] == many["hashes"]["47"]
    assert any("complete" in line for line in one["lines"])


@pytest.mark.timeout(ALL_SECONDS)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_bug_that_is_put_in_on_purpose_is_found(bug: Bug) -> None:
    change = ("--change", bug.module, bug.before, bug.after)
    status, found = run("--first", "--seeds", str(SEEDS), *change)
    assert status == 1
    ((seed, broken),) = found["broken"].items()
    assert any(f"promise {bug.promise}:" in each for each in broken), broken
    status, replayed = run("--seed", seed, *change)
    assert status == 1
    assert replayed["broken"] == broken, "a failing seed replays exactly"


def test_a_change_of_a_text_that_is_not_there_is_refused() -> None:
    ended = subprocess.run(
        command("--seed", "1", "--change", "runs.evolve", "no such line", ""),
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "has this 0 times: no such line" in ended.stderr


def test_ctrl_c_ends_it_with_what_was_found_so_far() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(
        command("--seeds", "1000000", "--jobs", "2", "--each"),
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(DEADLINE_SECONDS) == 130
    assert "all promises were kept" in rest
