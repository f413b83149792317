"""What callers of the door rely on: refusals with pointers, answers matched to questions, unfit documents."""

import asyncio
import random
import time
from typing import Any

import pytest

from contracts.checker import ContractChecker, schema_hash
from contracts.problems import CheckerUnavailable, SchemaRefused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refusals(door: ContractChecker, schema: object) -> list[tuple[str, str]]:
    with pytest.raises(SchemaRefused) as refused:
        await door.compile(schema)
    return [(problem.code, problem.pointer) for problem in refused.value.problems]


async def test_a_schema_that_compiles_is_named_by_its_hash(shared_door: ContractChecker) -> None:
    schema = {"type": "object", "required": ["a"]}

    compiled = await shared_door.compile(schema)

    assert compiled.schema_hash == schema_hash({"required": ["a"], "type": "object"})


async def test_every_invalid_keyword_is_named_at_once(shared_door: ContractChecker) -> None:
    schema = {"type": 12, "minLength": -1, "properties": {"a/b": {"required": "x"}, "c": {"enum": 7}}}

    assert sorted(await refusals(shared_door, schema)) == [
        ("schema_invalid", "/minLength"),
        ("schema_invalid", "/properties/a~1b/required"),
        ("schema_invalid", "/properties/c/enum"),
        ("schema_invalid", "/type"),
    ]


@pytest.mark.parametrize(
    "draft", ["draft-04/schema#", "draft-06/schema#", "draft-07/schema", "draft/2019-09/schema"]
)
async def test_a_schema_is_judged_by_the_meta_schema_of_its_draft(
    shared_door: ContractChecker, draft: str
) -> None:
    scheme = "https" if "2019" in draft else "http"
    schema = {"$schema": f"{scheme}://json-schema.org/{draft}", "properties": {"a": {"type": "text"}}}

    assert await refusals(shared_door, schema) == [("schema_invalid", "/properties/a/type")]


async def test_a_keyword_of_another_draft_is_judged_by_the_schemas_own(shared_door: ContractChecker) -> None:
    flag = {"minimum": 5, "exclusiveMinimum": True}
    await shared_door.compile({"$schema": "http://json-schema.org/draft-04/schema#", **flag})

    assert await refusals(shared_door, flag) == [("schema_other_draft", "/exclusiveMinimum")]


async def test_patterns_that_no_engine_takes_are_refused_and_each_is_named(
    shared_door: ContractChecker,
) -> None:
    schema = {
        "properties": {
            "ahead": {"pattern": "^(?=a)"},
            "back": {"pattern": "(a)\\1"},
            "fine": {"pattern": "^(a+)+$"},
            "names": {"propertyNames": {"pattern": "(?<=a"}},
        },
        "patternProperties": {"(?<!x)y": {}, "(": {}, "(a{1000}){1000}": {}},
    }
    with pytest.raises(SchemaRefused) as refused:
        await shared_door.compile(schema)

    said = {problem.pointer: problem.message for problem in refused.value.problems}
    assert {problem.code for problem in refused.value.problems} == {"schema_bad_pattern"}
    assert said.keys() == {
        "/properties/names/propertyNames/pattern",
        "/patternProperties/(",
        "/patternProperties/(a{1000}){1000}",
    }
    assert "not a regular expression" in said["/patternProperties/("]
    assert "too large" in said["/patternProperties/(a{1000}){1000}"]


async def test_a_catastrophic_pattern_answers_at_once(shared_door: ContractChecker) -> None:
    started = time.monotonic()
    errors = await shared_door.check({"pattern": "^(a+)+$"}, "a" * 100_000 + "!")

    assert [error["keyword"] for error in errors] == ["pattern"]
    assert time.monotonic() - started < 2


async def test_a_refused_schema_is_refused_by_check_as_well(shared_door: ContractChecker) -> None:
    for schema in ({"$ref": "http://example.com"}, {"type": 12}):
        with pytest.raises(SchemaRefused):
            await shared_door.check(schema, {})


async def test_a_schema_that_the_worker_has_long_forgotten_is_sent_again(
    shared_door: ContractChecker,
) -> None:
    schemas = [{"const": number} for number in range(300)]
    for _ in range(2):
        for number, schema in enumerate(schemas):
            assert await shared_door.check(schema, number) == []
            assert await shared_door.check(schema, -1) != []


async def test_a_thousand_concurrent_checks_each_get_their_own_answer(shared_door: ContractChecker) -> None:
    choose = random.Random(7)
    asked = [(choose.randrange(40), choose.randrange(40)) for _ in range(1_000)]

    answers = await asyncio.gather(
        *(
            shared_door.check({"properties": {"n": {"const": wanted}}}, {"n": given})
            for wanted, given in asked
        )
    )

    told = [[error["params"] for error in errors] for errors in answers]
    assert told == [[] if wanted == given else [{"allowedValue": wanted}] for wanted, given in asked]


def _nested(levels: int) -> Any:
    document: Any = 1
    for level in range(levels):
        document = {"a": document} if level % 2 else [document]
    return document


async def test_a_document_nested_forty_thousand_deep_is_invalid_and_nothing_crashes(
    shared_door: ContractChecker,
) -> None:
    pids = shared_door.checker_pids
    for levels in (255, 40_000):
        errors = await shared_door.check(True, _nested(levels))
        assert [error["keyword"] for error in errors] == ["maxDepth"]
    assert shared_door.checker_pids == pids


async def test_a_document_at_the_depth_limit_is_checked(shared_door: ContractChecker) -> None:
    tree = {"$defs": {"t": {"items": {"$ref": "#/$defs/t"}, "properties": {"a": {"$ref": "#/$defs/t"}}}}}
    deep = {**tree, "$ref": "#/$defs/t"}

    assert await shared_door.check(deep, _nested(254)) == []
    errors = await shared_door.check({**tree, "$ref": "#/$defs/t", "type": "string"}, _nested(254))
    assert [error["keyword"] for error in errors] == ["type"]


@pytest.mark.parametrize(
    ("document", "keyword", "path"),
    [
        ({"a": ["x", "y\0"]}, "nulCharacter", "/a/1"),
        ({"a": {"k\0": 1}}, "nulCharacter", "/a"),
        ({"a": 2**70}, "json", ""),
        ({"a": {1, 2}}, "json", ""),
        ("x" * 5_000_000, "maxBytes", ""),
        ([0] * 300_000, "maxValues", ""),
    ],
    ids=["NUL in text", "NUL in a key", "integer beyond 64 bit", "a Python set", "too long", "too many"],
)
async def test_a_document_that_the_log_could_not_hold_is_invalid_whatever_its_schema(
    shared_door: ContractChecker, document: object, keyword: str, path: str
) -> None:
    errors = await shared_door.check(True, document)

    assert [(error["keyword"], error["instancePath"]) for error in errors] == [(keyword, path)]


async def test_text_that_only_looks_like_a_nul_is_fine(shared_door: ContractChecker) -> None:
    assert await shared_door.check({"type": "string"}, "\\u0000") == []
    assert await shared_door.check({"type": "string"}, "," * 1_000_000) == []


async def test_a_door_that_is_not_open_says_so() -> None:
    with pytest.raises(CheckerUnavailable):
        await ContractChecker().check(True, 1)
