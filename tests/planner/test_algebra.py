"""The planner's algebra serves any scenario: it names nothing of LinkedIn, and another scenario can fill a contract."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import planner.mapping
import runs.expression
from planner.mapping.mapper import Mapper
from planner.mapping.material import Inside, Vocabulary
from planner.mapping.names import name_index, name_set
from planner.mapping.problems import COUNT, Unmappable
from planner.mapping.scopes import NodeScope, Scope
from planner.mapping.sources import Source
from runs.expression import evaluate
from schemas.facets import FACETS
from tests.support.linkedin import array_of, object_of

SCENARIO_WORDS = frozenset(
    [
        *(
            "linkedin",
            "post",
            "posts",
            "variant",
            "variants",
            "draft",
            "drafts",
            "brief",
            "review",
            "headline",
        ),
        *("headlines", "hashtag", "hashtags", "audience", "brand", "company", "tone", "voice", "campaign"),
    ]
)
SCENARIO_NAMES = frozenset({"callToAction", "fullText", "keyMessages", *FACETS})
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

MODULES = sorted(
    [*Path(planner.mapping.__path__[0]).glob("**/*.py"), Path(str(runs.expression.__file__))],
    key=lambda path: path.name,
)


def said(path: Path) -> set[str]:
    """The words of a module: of its names, its texts and its comments."""
    with tokenize.open(path) as file:
        kinds = (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)
        text = " ".join(
            token.string for token in tokenize.generate_tokens(file.readline) if token.type in kinds
        )
    return {part.lower() for part in _PARTS.findall(text)} | set(re.findall(r"\w+", text))


def test_there_are_modules_to_look_at() -> None:
    assert {"mapper.py", "flat.py", "output_limits.py", "expression.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_the_algebra_has_none_of_a_scenarios_words(path: Path) -> None:
    assert said(path) & (SCENARIO_WORDS | SCENARIO_NAMES) == set()


LINE = {
    "type": "object",
    "required": ["article", "price"],
    "properties": {"article": {"type": "string", "maxLength": 80}, "price": {"type": "number"}},
}
INVOICE = Vocabulary(
    item_noun="line",
    whole_item="a whole line",
    items_noun="the lines",
    item_lists=name_set("lines"),
    item_objects=name_set("line"),
    item_fields=name_index({"article": "product", "price": "amount"}),
    whole_objects=frozenset(),
    item_shape=LINE,
    output_shape=object_of({"lines": array_of(LINE)}),
    telling_parts=frozenset({"article"}),
)


@dataclass(frozen=True)
class Line:
    """A line of an invoice, which the node `node_id` makes."""

    node_id: str
    label: str


@dataclass(frozen=True)
class Invoice:
    """A material that has nothing in common with LinkedIn's."""

    items: Sequence[Line]
    vocabulary: Vocabulary = INVOICE
    fit_key: Hashable = None
    touched: set[str] = field(default_factory=set[str])

    def root_scope(self) -> Scope:
        return NodeScope("total", {"properties": {"sum": {"type": "number"}}}, name_index({"sum": "total"}))

    def item_scope(self, index: int) -> Scope:
        return _LineScope(NodeScope(self.items[index].node_id, LINE, INVOICE.item_fields, self.root_scope()))

    def whole_text(self, scope: Scope, *, in_item: bool) -> Source | None:
        return None

    def item_named(self, name: str) -> int | None:
        return None

    def names_absent_item(self, name: str) -> bool:
        return False

    def inside(self, name: str, scope: Scope, *, in_item: bool) -> Inside:
        return Inside(scope, certain=name in ("", "line"))

    def narrowed(self, scope: Scope, names: Iterable[str]) -> Scope:
        return scope

    def available(self) -> str:
        return "Available are article and price of each line."


@dataclass(frozen=True)
class _LineScope:
    """The fields of a line, each of which is content."""

    fields: NodeScope

    def find(self, name: str) -> Source | None:
        source = self.fields.find(name)
        return source and Source(
            source.json_type,
            source.expression,
            node_id=source.node_id,
            field=source.field,
            facet=source.facet,
            content=True,
        )


TWO_LINES = Invoice([Line("line-1", "Line 1"), Line("line-2", "Line 2")])
MADE: dict[str, Any] = {
    "line-1": {"article": "bolt", "price": 2},
    "line-2": {"article": "nut", "price": 1.5},
    "total": {"sum": 3.5},
}


def test_a_scenario_with_other_words_fills_a_contract() -> None:
    line = object_of({"product": {"type": "string", "maxLength": 40}, "amount": {"type": "number"}})
    schema = object_of({"lines": array_of(line), "total": {"type": "number"}})
    mapped = Mapper(schema, "/outputContract/schema", TWO_LINES).map()
    output = evaluate(mapped.expression, MADE)
    jsonschema.validate(output, schema)
    assert output == {
        "lines": [{"product": "bolt", "amount": 2}, {"product": "nut", "amount": 1.5}],
        "total": 3.5,
    }
    asked = [(demand.node_id, demand.field, demand.limits) for demand in mapped.demands if demand.limits]
    assert asked == [("line-1", "article", {"maxLength": 40}), ("line-2", "article", {"maxLength": 40})]


def test_a_contract_that_says_nothing_gets_the_scenarios_shape() -> None:
    output = evaluate(Mapper({}, "", TWO_LINES).map().expression, MADE)
    assert output == {"lines": [MADE["line-1"], MADE["line-2"]]}


@pytest.mark.parametrize(
    ("schema", "code", "message"),
    [
        (
            object_of({"lines": array_of(LINE, maxItems=1)}),
            COUNT,
            "takes at most 1 in 'lines', and there would be 2.",
        ),
        (
            object_of({"discount": {"type": "number"}}),
            "contract_unsatisfiable",
            "Nothing provides 'discount'. Available are article and price of each line.",
        ),
        (
            object_of({"version": {"const": 1}}),
            "contract_unsatisfiable",
            "Nothing provides the lines: the contract has no",
        ),
    ],
)
def test_a_refusal_is_in_the_scenarios_words(schema: Any, code: str, message: str) -> None:
    with pytest.raises(Unmappable) as refused:
        Mapper(schema, "", TWO_LINES).map()
    (problem,) = refused.value.problems
    assert problem.code == code
    assert message in problem.message
