"""The transition tables have a place for each word of the vocabulary, and no way out of an end."""

from typing import get_args

import pytest

from runs.errors import IllegalTransition
from runs.transitions import NODE, RUN, SETTLING, TERMINAL, SettleTrigger, next_node_status, next_run_status
from schemas.vocabulary import EVENT_TYPES, FinalStatus, NodeStatus, RunStatus


def test_each_status_has_its_row() -> None:
    assert set(RUN) == set(get_args(RunStatus))
    assert set(NODE) == set(get_args(NodeStatus))


def test_each_type_of_event_but_the_first_is_a_step_somewhere() -> None:
    triggers = {trigger.partition(":")[0] for steps in RUN.values() for trigger in steps}
    assert triggers - set(get_args(SettleTrigger)) == set(EVENT_TYPES) - {"start"}


def test_an_end_has_no_way_out() -> None:
    assert set(get_args(FinalStatus)) == TERMINAL
    assert all(not RUN[status] for status in TERMINAL)


def test_a_run_settles_from_each_status_that_settles_and_from_no_other() -> None:
    settling = {status for status, steps in RUN.items() if set(get_args(SettleTrigger)) <= set(steps)}
    assert settling == SETTLING
    assert not any(set(get_args(SettleTrigger)) & set(RUN[status]) for status in set(RUN) - SETTLING)


def test_a_step_that_is_not_in_a_table_is_refused_with_the_status() -> None:
    with pytest.raises(IllegalTransition, match="a run that is paused cannot take node_start") as run:
        next_run_status("paused", "node_start")
    with pytest.raises(IllegalTransition, match="node a is cancelled and cannot take start") as node:
        next_node_status("cancelled", "start", "a")
    assert (run.value.details["status"], node.value.details["nodeId"]) == ("paused", "a")
