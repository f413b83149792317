"""Ajv itself, asked about a thousand schemas and documents: the same verdicts, and the same errors."""

from collections import Counter
from typing import Any

import orjson
import pytest

from contracts.compiler import compile_schema
from tests.support.ajv import ask_ajv, made_pairs

PAIRS = 1_000
SEED = 7
MOST_ERRORS = 10_000
MANY_KEYWORDS = 29
FIELDS = ("instancePath", "schemaPath", "keyword", "params", "message")

DIFFERENCES = {
    33: "errors inside `contains`, behind a reference",
    109: "`unevaluatedProperties` beside an `anyOf` that fails: Ajv takes what its branches have seen for evaluated",
    402: "`unevaluatedProperties` beside a `dependentSchemas` that fails, as above",
    607: "`unevaluatedProperties` beside an `anyOf` that fails, as above",
    770: "`contains` of an empty array behind an array that has what is wanted: Ajv lets it pass",
}
"""The pairs whose errors differ, and why; see docs/contracts.md. Their verdicts are the same."""

AJV_BREAKS = {
    304: "Cannot set properties of undefined (setting 'a')",
    799: "Cannot set properties of undefined (setting 'c')",
}
"""Schemas on which Ajv's own compiler fails."""


def told(errors: list[dict[str, Any]]) -> Counter[bytes]:
    """The errors without their order, and without those inside `contains`, which jsonschema-rs does not report."""
    listed = [error for error in errors if "/contains/" not in error["schemaPath"]]
    return Counter(
        orjson.dumps({field: error[field] for field in FIELDS}, option=orjson.OPT_SORT_KEYS)
        for error in listed
    )


@pytest.fixture(scope="module")
def answers() -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Of each pair what Ajv says, and our errors."""
    pairs = made_pairs(PAIRS, SEED)
    ours = [compile_schema(pair.schema).errors(pair.document, MOST_ERRORS) for pair in pairs]
    return list(zip(ask_ajv(pairs), [[{**error} for error in errors] for errors in ours], strict=True))


def test_every_verdict_is_ajvs(answers: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    broken = {index: theirs["refused"] for index, (theirs, _) in enumerate(answers) if "refused" in theirs}
    assert broken == AJV_BREAKS
    valid = [theirs["valid"] for theirs, _ in answers if "valid" in theirs]
    assert min(valid.count(True), valid.count(False)) > PAIRS // 3
    assert valid == [not ours for theirs, ours in answers if "valid" in theirs]


def test_every_error_is_ajvs(answers: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    differ = {
        index: (theirs["errors"], ours)
        for index, (theirs, ours) in enumerate(answers)
        if "errors" in theirs and told(theirs["errors"]) != told(ours)
    }
    unexpected = {index: both for index, both in differ.items() if index not in DIFFERENCES}
    assert not unexpected
    assert differ.keys() == DIFFERENCES.keys()


def test_all_keywords_are_among_the_errors(
    answers: list[tuple[dict[str, Any], list[dict[str, Any]]]],
) -> None:
    seen = {error["keyword"] for _, ours in answers for error in ours}
    assert len(seen) == MANY_KEYWORDS
