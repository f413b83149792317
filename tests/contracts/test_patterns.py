"""Look-around and back-references are matched by a backtracking engine: exactly, or there is no verdict."""

from typing import Any

import pytest

from contracts.checker import ContractChecker
from contracts.problems import CheckCrashed, CheckTimedOut

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLUG = "^(?!-)[a-z0-9-]+(?<!-)$"
CATASTROPHE = r"^(a*)*\1b$"
STACK = "^(?:(?=.)a)*$"


@pytest.mark.parametrize(
    ("schema", "valid", "invalid", "keyword"),
    [
        ({"pattern": SLUG}, "a-b", "-b", "pattern"),
        ({"pattern": r"^(['\"]).*\1$"}, "'a'", "'a\"", "pattern"),
        ({"patternProperties": {"^(?!x-)": {"type": "string"}}}, {"x-a": 1}, {"a": 1}, "type"),
        ({"propertyNames": {"pattern": SLUG}}, {"a": 1}, {"a-": 1}, "propertyNames"),
        ({"not": {"pattern": "^(?=.*secret)"}}, "open", "a secret", "not"),
        ({"items": {"anyOf": [{"pattern": SLUG}, {"type": "null"}]}}, ["a", None], ["-"], "anyOf"),
        ({"$ref": "#/components/a", "components": {"a": {"pattern": SLUG}}}, "a", "-", "pattern"),
    ],
)
async def test_look_around_is_checked_wherever_it_stands(
    shared_door: ContractChecker, schema: dict[str, Any], valid: object, invalid: object, keyword: str
) -> None:
    await shared_door.compile(schema)

    assert await shared_door.check(schema, valid) == []
    assert keyword in {error["keyword"] for error in await shared_door.check(schema, invalid)}


async def test_patterns_beside_look_around_mean_what_they_mean_without(shared_door: ContractChecker) -> None:
    patterns = {r"^\d$": "\u0667", r"^\p{L}+$": "a1", "^.$": "ab"}
    for pattern, document in patterns.items():
        assert await shared_door.check({"allOf": [{"pattern": pattern}, {"pattern": "(?=)"}]}, document) != []


@pytest.mark.parametrize("schema", [{"pattern": CATASTROPHE}, {"not": {"pattern": CATASTROPHE}}])
async def test_a_pattern_that_takes_too_long_gives_no_verdict_and_says_why(
    shared_door: ContractChecker, schema: dict[str, Any]
) -> None:
    await shared_door.compile(schema)
    with pytest.raises(CheckTimedOut, match="look-around or a back-reference"):
        await shared_door.check(schema, "a" * 40)

    assert await shared_door.check({"type": "string"}, "a") == []


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": STACK},
        {"not": {"pattern": STACK}},
        {"anyOf": [{"pattern": STACK}, {"type": "null"}]},
        {"not": {"pattern": "^(?:(?:(?=a)|(?=a)){1000}){2000}a+$"}},
    ],
)
async def test_a_text_that_fills_the_stack_of_the_engine_gives_no_verdict(
    shared_door: ContractChecker, schema: dict[str, Any]
) -> None:
    with pytest.raises(CheckCrashed, match="more memory or stack"):
        await shared_door.check(schema, "a" * 1_500_000)


async def test_a_long_text_that_fits_is_judged(shared_door: ContractChecker) -> None:
    assert await shared_door.check({"pattern": STACK}, "a" * 200_000) == []
    assert await shared_door.check({"not": {"pattern": STACK}}, "a" * 200_000) != []


@pytest.mark.parametrize(
    ("pattern", "valid", "invalid"),
    [
        ("^(?!-)[-a-z0-9]{0,49}[a-z0-9]$", "build-1", "-build"),
        ("^(?!@@)[@a-zA-Z0-9_-]+$", "@name", "@@name"),
        (r"^(?!org\.bukkit\.)([a-zA-Z_$][\w$]*\.)*[a-zA-Z_$][\w$]*$", "com.example.Main", "org.bukkit.Main"),
        ("^(?!tag|category)$", "", "tag"),
        (r"^(?!relationships$|links$)\w[-\w_]*$", "title", "links"),
        (r"^([a-z\d]|[a-z\d]([a-z\d-](?!--))*[a-z\d])$", "a-b", "a---b"),
        ("^(?=[^!*,;{}[\\]~\\n]+$)(?=(.*\\w)).+$", "words", "no;"),
        ("^((?!message|severity).)*$", "colour", "the severity"),
        (r"^(?=.{1,64}$)[a-z]+(\.[a-z]+)*$", "a.b", "a" * 65),
        (r"^(\d{4})(?<!0000)-\d\d$", "2026-11", "0000-11"),
        (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "Abcdefg1", "abcdefg1"),
        (r"^(['\"`]).*?\1$", "`a`", "`a'"),
    ],
)
async def test_the_kinds_that_published_schemas_use_are_judged(
    shared_door: ContractChecker, pattern: str, valid: str, invalid: str
) -> None:
    for schema, wrap in (
        ({"pattern": pattern}, str),
        ({"patternProperties": {pattern: True}, "additionalProperties": False}, lambda name: {name: 1}),
    ):
        await shared_door.compile(schema)
        assert await shared_door.check(schema, wrap(valid)) == []
        assert await shared_door.check(schema, wrap(invalid)) != []
