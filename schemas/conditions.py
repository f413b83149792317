"""Conditions: JSON-Logic over a documented context, bounded before and while it is evaluated.

A condition has no clock, no effect and the same result in each process: it is evaluated by `datalogic_py` with the
operators of JSON-Logic alone, compiled once, under a budget of operations. What the budget does not see is refused
before: a document that is too large or too deep, and lists built from values within an iterator, whose size could
double with each item.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, NoReturn, cast

import orjson
from datalogic_py import CompileError, DataLogicError, Engine, Rule
from pydantic import Field, WrapValidator

from schemas import pointer
from schemas.base import flaw, json_type, refused
from schemas.spelling import nearest_word

MAX_CONDITION_BYTES = 4_000
MAX_CONDITION_DEPTH = 30
MAX_CONDITIONS = 30
"""How many conditions an envelope may have."""
MAX_OPERATIONS = 10_000
"""What the evaluation of one condition may cost: nodes, items that an iterator looks at, and what is copied."""
MAX_DATA_BYTES = 1_000_000
"""How much of the context one condition may read, as JSON."""
BYTES_PER_OPERATION = 100
"""Reading so much of the context counts as one operation."""
MAX_OPERATIONS_TOGETHER = 40_000
"""What all conditions may cost that are evaluated in one step of a run."""
MAX_OBSERVED = 10
MAX_OBSERVED_CHARS = 500

ROOTS = ("run", "plan", "node", "output", "usage", "metrics", "event", "value")
"""What a condition can read; docs/policies.md describes it."""

_ITERATORS = frozenset({"map", "filter", "reduce", "all", "some", "none"})
_ENGINE = Engine(families=[], strict_operator_names=True, config={"ops_budget": MAX_OPERATIONS})
_OPERATORS = tuple(
    dict.fromkeys(name for each in _ENGINE.operators() for name in (each["name"], *each["aliases"]))
)


class ConditionFailed(Exception):
    """A condition that could not be evaluated: it costs too much, or an operator could not do its work."""


@dataclass(slots=True)
class Allowance:
    """The operations that are left for the conditions of one step of a run."""

    operations: int = MAX_OPERATIONS_TOGETHER

    def spend(self, operations: int) -> None:
        self.operations -= operations
        if self.operations < 0:
            raise ConditionFailed(
                f"the conditions of one step cost more than {MAX_OPERATIONS_TOGETHER} operations"
            )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the condition holds, and the values that it has read, by their path."""

    holds: bool
    observed: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition: `roots` are the parts of the context that it reads, `paths` what it reads in them."""

    rule: Rule
    roots: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]

    def check(self, context: Mapping[str, Callable[[], Any]], allowance: Allowance) -> Verdict:
        """Evaluate over a context whose parts are made when they are read. Raises ConditionFailed."""
        data = {root: context[root]() for root in self.roots if root in context}
        holds = self.holds(data, allowance)
        return Verdict(holds, {_shown(path): value for path, value in self._observed(data)})

    def holds(self, data: Any, allowance: Allowance) -> bool:
        """Whether it holds for `data`. Raises ConditionFailed."""
        try:
            text = orjson.dumps(data)
        except (orjson.JSONEncodeError, RecursionError) as error:
            raise ConditionFailed(f"the context is not JSON: {error}") from error
        if len(text) > MAX_DATA_BYTES:
            raise ConditionFailed(f"it would read {len(text)} bytes; at most {MAX_DATA_BYTES} are read")
        allowance.spend(len(text) // BYTES_PER_OPERATION)
        try:
            result, cost = self.rule.evaluate_metered(text.decode(), MAX_OPERATIONS)
        except DataLogicError as error:
            allowance.spend(MAX_OPERATIONS if "BudgetExceeded" in error.error_type else 1)
            raise ConditionFailed(_one_line(str(error))) from None
        allowance.spend(cost)
        return result == "true"

    def _observed(self, data: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for path in self.paths[:MAX_OBSERVED]:
            yield path, _short(value_at(data, path))


def value_at(value: Any, path: Iterable[str]) -> Any:
    """The value below these keys and indexes; None where there is none."""
    for part in path:
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(part)]
        else:
            return None
    return value


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path)[:MAX_OBSERVED_CHARS]


def _short(value: Any) -> Any:
    """The value itself where it is short, or what it is."""
    if isinstance(value, str):
        return value[:MAX_OBSERVED_CHARS]
    if isinstance(value, dict | list):
        size = len(cast("dict[str, Any] | list[Any]", value))
        return f"an object of {size} keys" if isinstance(value, dict) else f"a list of {size} items"
    return value


def logic_of(condition: Any) -> Any:
    """The JSON-Logic of a condition: itself, or `jsonLogic` of `{dsl, jsonLogic}`."""
    if isinstance(condition, dict) and "jsonLogic" in condition:
        return cast("dict[str, Any]", condition)["jsonLogic"]
    return cast("Any", condition)


def compiled(condition: Any) -> Condition:
    """The condition, compiled once for each text. It must have been accepted by `AnyCondition`."""
    return _compile(orjson.dumps(logic_of(condition)))


@lru_cache(maxsize=1_024)
def _compile(text: bytes) -> Condition:
    # Only whether it holds is asked for: a result that is large is never written out.
    rule = _ENGINE.compile_checked(f'{{"!!":[{text.decode()}]}}')
    facts = rule.facts()
    reads = tuple(tuple(path) for path in facts["reads"] if path)
    whole = facts["computed_reads"] or not facts["reads_complete"] or [] in facts["reads"]
    named = tuple(dict.fromkeys(path[0] for path in reads if path[0] in ROOTS))
    return Condition(rule, ROOTS if whole else named, reads)


def _checked(value: Any, _inner: Callable[[Any], Any]) -> Any:
    check_condition(value)
    return value


AnyCondition = Annotated[
    dict[str, Any],
    WrapValidator(_checked),
    Field(
        json_schema_extra={
            "description": "JSON-Logic over run, plan, node, output, usage, metrics and event; or {dsl, jsonLogic}, "
            "of which the logic counts."
        }
    ),
]
"""A condition as it was sent."""


def check_condition(value: Any) -> None:
    """Raise pydantic's ValidationError, with the place, for a condition that is not to be evaluated."""
    if not isinstance(value, dict):
        _refuse("wrong_type", f"A condition must be an object of JSON-Logic, not {json_type(value)}.", ())
    sent, place = cast("dict[str, Any]", value), ()
    if "jsonLogic" in sent or "dsl" in sent:
        place = ("jsonLogic",)
        _check_pair(sent)
    check_names(check_logic(logic_of(sent), place), place)


def _check_pair(sent: dict[str, Any]) -> None:
    unknown = [key for key in sent if key not in ("dsl", "jsonLogic")]
    if unknown:
        _refuse("unknown_key", "Beside 'jsonLogic' there may be 'dsl' only.", (unknown[0],))
    if not isinstance(sent.get("dsl", ""), str):
        _refuse("wrong_type", f"This must be a string, not {json_type(sent['dsl'])}.", ("dsl",))
    if not isinstance(sent.get("jsonLogic"), dict):
        _refuse("missing", "Of a condition its logic counts: an object of JSON-Logic.", ("jsonLogic",))


def _check_size(logic: Any, place: tuple[str | int, ...]) -> None:
    deep = next((path for path, _ in _walk(logic) if len(path) > MAX_CONDITION_DEPTH), None)
    if deep is not None:
        _refuse("too_deep", f"A condition may have at most {MAX_CONDITION_DEPTH} levels.", place)
    if len(orjson.dumps(logic)) > MAX_CONDITION_BYTES:
        _refuse("too_long", f"A condition may have at most {MAX_CONDITION_BYTES} bytes.", place)


def _walk(logic: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each value with its place, no deeper than one level below what is allowed."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), logic)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if len(path) > MAX_CONDITION_DEPTH:
            continue
        if isinstance(value, dict):
            waiting += [((*path, key), each) for key, each in cast("dict[str, Any]", value).items()]
        elif isinstance(value, list):
            waiting += [((*path, number), each) for number, each in enumerate(cast("list[Any]", value))]


def _check_lists(logic: Any, place: tuple[str | int, ...]) -> None:
    """Within an iterator, a list may hold constants only: one of values would be copied for free, again and again."""
    for path, value in _walk(logic):
        if isinstance(value, list) and path and isinstance(path[-1], int) and _iterated(path):
            items = cast("list[Any]", value)
            if any(isinstance(inner, dict) for _, inner in _walk(items)):
                message = "Within map, filter, reduce, all, some and none a list may hold constants only."
                _refuse("too_costly", message, (*place, *path))


def _iterated(path: tuple[str | int, ...]) -> bool:
    return any(part in _ITERATORS for part in path)


def check_logic(logic: Any, place: tuple[str | int, ...] = ()) -> Condition:
    """Compile logic that was sent; raises pydantic's ValidationError, with the place, where it is refused."""
    _check_size(logic, place)
    _check_lists(logic, place)
    try:
        return _compile(orjson.dumps(logic))
    except CompileError as error:
        flaws = error.diagnostics[:10]
        raise refused(
            *(flaw(_code(each), _sentence(each), *place, *_parts(each["pointer"])) for each in flaws)
        ) from None
    except DataLogicError as error:
        _refuse("invalid_condition", _one_line(str(error)), place)


def check_names(condition: Condition, place: tuple[str | int, ...]) -> None:
    """Raise pydantic's ValidationError for a condition that reads what no context has."""
    for path in condition.paths:
        if path[0] not in ROOTS:
            nearest = nearest_word(path[0], ROOTS)
            more = f"; did you mean {nearest!r}?" if nearest else f"; it has {', '.join(ROOTS)}."
            _refuse("unknown_name", f"The context of a condition has no {path[0][:100]!r}{more}", place)


def _code(diagnostic: Mapping[str, Any]) -> str:
    unknown = str(diagnostic["message"]).startswith("unknown operator")
    return "unknown_operator" if unknown else "invalid_condition"


def _sentence(diagnostic: Mapping[str, Any]) -> str:
    if _code(diagnostic) == "unknown_operator":
        operator = str(diagnostic.get("operator") or "")[:100]
        nearest = nearest_word(operator, _OPERATORS)
        more = f"; did you mean {nearest!r}?" if nearest else "; only those of JSON-Logic are known."
        return f"There is no operator {operator!r}{more}"
    return f"{_one_line(str(diagnostic['message'])).rstrip('.')}."


def _parts(place: str) -> list[str | int]:
    """The place in the condition; the first two parts are of the operator that we have put around it."""
    return [int(part) if part.isdecimal() else part for part in pointer.split(place)[2:]]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _refuse(code: str, message: str, place: tuple[str | int, ...]) -> NoReturn:
    raise refused(flaw(code, message, *place))
