"""Ten contracts over the capabilities that ship: carried out with a valid output, or refused with what would help."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.linkedin import POST, array_of, carry_out, object_of, refusal_of, with_inputs

TEXT = {"type": "string"}
SHORT = {"type": "string", "maxLength": 80}


@pytest.mark.parametrize(
    "contract",
    [
        {"mode": "facets", "facets": ["post_copy", "review"]},
        {"mode": "facets", "facets": ["creative_brief"]},
        {"mode": "freeform", "instructions": "One post, plain text."},
        object_of({"variants": array_of(POST, minItems=2)}),
        object_of({"channel": {"enum": ["LinkedIn", "X"]}, "posts": array_of(object_of({"title": SHORT}))}),
        object_of({"campaign": object_of({"audience": TEXT, "posts": array_of(POST)})}),
        array_of(object_of({"fullText": TEXT, "wordCount": {"type": "integer"}})),
        object_of({"brief": {"type": "object"}, "keyMessages": array_of(TEXT), "posts": array_of(TEXT)}),
    ],
    ids=["facets", "one facet", "free text", "variants", "enum", "nested", "counts", "mixed"],
)
def test_a_contract_that_can_be_met_completes(contract: dict[str, Any]) -> None:
    named = "mode" in contract
    task = {**with_inputs(), "outputContract": contract} if named else with_inputs(contract)
    assert carry_out(task).output


@pytest.mark.parametrize(
    ("contract", "path"),
    [
        (object_of({"variants": array_of(object_of({"body": TEXT, "licence": TEXT}))}),
         "/outputContract/schema/properties/variants/items/properties/licence"),
        (object_of({"variants": array_of(POST, maxItems=1)}), "/inputs/variantCount"),
    ],
    ids=["a member that nothing gives", "another number of variants"],
)  # fmt: skip
def test_a_contract_that_cannot_be_met_is_refused_with_its_place(contract: dict[str, Any], path: str) -> None:
    (reason,) = refusal_of(with_inputs(contract))
    assert reason["path"] == path
    assert len(reason["message"]) > 40
