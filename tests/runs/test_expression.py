"""The language of mappings: what is written is what is evaluated. `tests/stubs` has the table of its operators."""

from typing import Any

import pytest

from runs.composition import CompositionError
from runs.expression import ExpressionError, count, evaluate, join, literal, nodes_in, object_of, reference

OUTPUTS: dict[str, Any] = {"sum": {"text": "three and a half"}, "lines": [{"name": "bolt"}, {"name": "nut"}]}


def test_each_way_of_writing_an_expression_has_its_value() -> None:
    text = reference("sum", "text")
    written = object_of(
        {
            "whole": reference("lines"),
            "words": count("words", text),
            "both": join(["sum", text], ": "),
            "quoted": literal({"$node": "nothing"}),
            "$node": 1,
        }
    )
    assert evaluate(written, OUTPUTS) == {
        "whole": OUTPUTS["lines"],
        "words": 4,
        "both": "sum: three and a half",
        "quoted": {"$node": "nothing"},
        "$node": 1,
    }
    assert nodes_in(written) == ["lines", "sum"]


def test_a_reference_that_leads_nowhere_is_told_apart_from_one_that_makes_no_sense() -> None:
    with pytest.raises(CompositionError, match="there is no output of node gone"):
        evaluate([reference("gone")], OUTPUTS)
    with pytest.raises(ExpressionError, match="a reference names a node and a pointer"):
        evaluate({"$node": 1}, OUTPUTS)
    with pytest.raises(ExpressionError, match="there is no count of 'lines'"):
        evaluate(count("lines", "x"), OUTPUTS)
