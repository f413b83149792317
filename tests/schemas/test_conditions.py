"""Conditions: the public vectors of JSON-Logic, refusals with their place, and hostile conditions that stay bounded."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.conditions import (
    MAX_CONDITION_BYTES,
    MAX_CONDITION_DEPTH,
    MAX_OPERATIONS_TOGETHER,
    Allowance,
    AnyCondition,
    ConditionFailed,
    check_logic,
    compiled,
)

MAX_BLOCKED_SECONDS = 0.05
HOSTILE_CONDITIONS = 1_000
DOOR: TypeAdapter[Any] = TypeAdapter(AnyCondition)
VECTORS = [
    each
    for each in json.loads((Path(__file__).parent / "jsonlogic" / "compatible.json").read_text())
    if isinstance(each, dict)
]


def _truthy(value: Any) -> bool:
    """As JSON-Logic has it."""
    return bool(value)


def _refusals(condition: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as refusal:
        DOOR.validate_python(condition)
    return [(each["loc"], each.get("ctx", {})["code"]) for each in refusal.value.errors()]


def test_the_public_vectors_pass_through_our_door() -> None:
    assert len(VECTORS) == 278
    for vector in VECTORS:
        rule, data, expected = vector["rule"], vector.get("data"), vector["result"]
        assert check_logic(rule).holds(data, Allowance()) is _truthy(expected), vector
        if not isinstance(expected, list):
            assert check_logic({"===": [rule, expected]}).holds(data, Allowance()), vector


def test_a_condition_reads_its_context_and_says_what_it_saw() -> None:
    condition = DOOR.validate_python({"<": [{"var": "output.score"}, 0.7]})
    context: dict[str, Callable[[], Any]] = {"output": lambda: {"score": 0.5, "text": "long"}}
    verdict = compiled(condition).check(context, Allowance())
    assert verdict.holds
    assert verdict.observed == {"output.score": 0.5}


def test_only_what_a_condition_reads_is_made() -> None:
    def never() -> Any:
        raise AssertionError("this part was not to be read")

    verdict = compiled({"==": [{"var": "node.id"}, "a"]}).check(
        {"node": lambda: {"id": "a"}, "output": never}, Allowance()
    )
    assert verdict.holds


def test_of_a_pair_the_logic_counts() -> None:
    pair = DOOR.validate_python({"dsl": "score < 1", "jsonLogic": {"<": [{"var": "output.score"}, 1]}})
    assert compiled(pair).check({"output": lambda: {"score": 0}}, Allowance()).holds


@pytest.mark.parametrize(
    ("condition", "place", "code"),
    [
        (True, (), "wrong_type"),
        ({"dsl": "x"}, ("jsonLogic",), "missing"),
        ({"jsonLogic": {"!": [1]}, "more": 1}, ("more",), "unknown_key"),
        ({"and": [{"var": "output.a"}, {"now": []}]}, ("and", 1), "unknown_operator"),
        ({"jsonLogic": {"and": [{"lenght": [1]}, 1]}}, ("jsonLogic", "and", 0), "unknown_operator"),
        ({"==": [1]}, (), "invalid_condition"),
        ({"==": [1, 2], "!=": [1, 2]}, (), "invalid_condition"),
        ({"==": [{"var": "outptu.score"}, 1]}, (), "unknown_name"),
        ({"map": [[1], [{"var": ""}, {"var": ""}]]}, ("map", 1), "too_costly"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(
    condition: Any, place: tuple[str | int, ...], code: str
) -> None:
    assert _refusals(condition) == [(place, code)]


def test_size_and_depth_are_bounded() -> None:
    deep: Any = {"var": "output"}
    for _ in range(MAX_CONDITION_DEPTH):
        deep = {"!": [deep]}
    assert _refusals(deep) == [((), "too_deep")]
    assert _refusals({"in": ["a", "b" * MAX_CONDITION_BYTES]}) == [((), "too_long")]


def test_the_conditions_of_one_step_share_an_allowance() -> None:
    condition = compiled({"some": [{"var": "output"}, {"==": [{"var": ""}, -1]}]})
    allowance = Allowance()
    context: dict[str, Callable[[], Any]] = {"output": lambda: list(range(2_000))}
    condition.check(context, allowance)
    allowance.operations = 1_000
    with pytest.raises(ConditionFailed, match="one step"):
        condition.check(context, allowance)
    assert allowance.operations < 0 < MAX_OPERATIONS_TOGETHER


_LEAVES: list[Any] = [
    {"var": ""},
    {"var": "accumulator"},
    {"var": "current"},
    {"var": "output.list"},
    {"var": "output.text"},
    {"var": {"cat": ["out", "put"]}},
    {"var": ".".join("a" * 500)},
    list(range(300)),
    ["a" * 300] * 5,
    "a" * 500,
    1e308,
    -1,
    None,
    "",
]
_ITERATING = ["map", "filter", "reduce", "all", "some", "none", "merge", "cat"]
_OPERATIONS = [
    *_ITERATING,
    *("in", "substr", "if", "and", "or", "!", "!!", "==", "===", "!=", "<", ">", "+", "-", "*", "/", "%"),
    *(
        "max",
        "min",
        "missing",
        "missing_some",
        "var",
        "val",
        "now",
        "throw",
        "log",
        "tensor",
        "sort",
        "zeros",
    ),
]


def _hostile(chance: random.Random, depth: int) -> Any:
    if depth == 0 or chance.random() < 0.1:
        return chance.choice(_LEAVES)
    arguments = [_hostile(chance, depth - 1) for _ in range(chance.choice([1, 2, 2, 2, 3]))]
    return {chance.choice(_ITERATING if chance.random() < 0.6 else _OPERATIONS): arguments}


_DOUBLINGS: list[Any] = [
    {"reduce": [list(range(60)), {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "xx"]},
    {"reduce": [list(range(60)), {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}, [1]]},
    {"reduce": [list(range(60)), [{"var": "accumulator"}, {"var": "accumulator"}], [1]]},
    {"some": [{"var": "output.list"}, {"some": [{"var": "output.list"}, {"in": ["b", {"var": ""}]}]}]},
    {"in": ["a" * 2_000 + "b", {"var": "output.text"}]},
]


def test_a_thousand_hostile_conditions_are_refused_or_bounded() -> None:
    chance = random.Random(20261128)
    output = {"list": list(range(20_000)), "text": "a" * 700_000}
    slow: list[tuple[float, Any]] = []
    evaluated = 0
    for number in range(HOSTILE_CONDITIONS):
        condition = _DOUBLINGS[number] if number < len(_DOUBLINGS) else _hostile(chance, 2 + number % 6)
        seconds = _seconds_of(lambda condition=condition: DOOR.validate_python(condition))
        slow += [(seconds, condition)] if seconds > MAX_BLOCKED_SECONDS else []
        try:
            found = compiled(DOOR.validate_python(condition))
        except ValidationError:
            continue
        evaluated += 1
        seconds = _seconds_of(lambda found=found: found.check({"output": lambda: output}, Allowance()))
        slow += [(seconds, condition)] if seconds > MAX_BLOCKED_SECONDS else []
    assert not slow
    assert evaluated > HOSTILE_CONDITIONS / 20


def _seconds_of(work: Callable[[], Any]) -> float:
    """The CPU time that it took, also where it was refused."""
    began = process_time()
    with suppress(ValidationError, ConditionFailed):
        work()
    return process_time() - began
