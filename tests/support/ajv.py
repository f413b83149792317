"""Ajv itself, from npm, and schemas with documents to ask it about."""

import random
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tests.support.node_packages import NODE, installed

ORACLES = Path(__file__).parents[1] / "oracles"
ANSWER_SECONDS = 120
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
_NAMES = ("a", "b", "c", "d/e", "f~g")
_TEXTS = ("", "a", "ab", "abc", "x1", "héé", "a@b.example", "2026-11-27", "🎉🎉")
_NUMBERS = (0, 1, 2, 3, 5, -1, 1.5, 2.5, 10, 7.25)


class Pair(NamedTuple):
    """A schema and a document that may break it."""

    schema: Any
    document: Any


def ask_ajv(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """For each pair `{"valid", "errors"}`, or `{"refused": why}` for a schema that Ajv does not compile."""
    lines = b"".join(orjson.dumps(pair._asdict()) + b"\n" for pair in pairs)
    command = [NODE, "ajv.js"]
    done = subprocess.run(
        command, cwd=installed(ORACLES), input=lines, capture_output=True, check=True, timeout=ANSWER_SECONDS
    )
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def made_pairs(number: int, seed: int) -> list[Pair]:
    """The same pairs for the same seed."""
    choose = random.Random(seed)
    return [_pair(choose, old=index % 5 == 0) for index in range(number)]


def _pair(choose: random.Random, *, old: bool) -> Pair:
    maker = _Maker(choose, old=old)
    schema = maker.schema(0)
    if old:
        schema = {"$schema": DRAFT_7, "allOf": [schema]}
    schema["definitions" if old else "$defs"] = {name: maker.schema(2) for name in ("n", "m/o")}
    return Pair(schema, maker.document(0))


class _Maker:
    def __init__(self, choose: random.Random, *, old: bool) -> None:
        self._choose = choose
        self._old = old
        self._groups: list[Callable[[int], dict[str, Any]]] = [
            self._number,
            self._text,
            self._array,
            self._array,
            self._object,
            self._object,
            self._object,
            self._any_value,
            self._combined,
            self._combined,
            self._conditional,
            self._reference,
        ]

    def schema(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for group in self._choose.sample(self._groups, 1 if depth > 1 else 2):
            made |= group(depth)
        # Beside a reference nothing counts in draft 7; Ajv applies it all the same.
        return {"$ref": made["$ref"]} if self._old and "$ref" in made else made

    def document(self, depth: int) -> Any:
        kind = self._choose.choice(
            ("object", "object", "object", "array", "array", "text", "number", "other")
            if depth < 3
            else ("text", "number", "other")
        )
        if kind == "object":
            names = self._choose.sample(_NAMES, self._choose.randrange(5))
            return {name: self.document(depth + 1) for name in names}
        if kind == "array":
            return [self.document(depth + 1) for _ in range(self._choose.randrange(5))]
        values: dict[str, tuple[Any, ...]] = {
            "text": _TEXTS,
            "number": _NUMBERS,
            "other": (None, True, False),
        }
        return self._choose.choice(values[kind])

    def _inside(self, depth: int) -> Any:
        if depth > 2:
            return {"type": self._choose.choice(("string", "number", "integer", "boolean", "null"))}
        return self._choose.choice((True, False)) if self._choose.random() < 0.1 else self.schema(depth + 1)

    def _some(self, **keywords: Any) -> dict[str, Any]:
        names = self._choose.sample(sorted(keywords), self._choose.randint(1, min(2, len(keywords))))
        return {name: keywords[name] for name in names}

    def _number(self, _depth: int) -> dict[str, Any]:
        limits = {
            keyword: self._choose.choice(_NUMBERS)
            for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        }
        return self._some(**limits, multipleOf=self._choose.choice((2, 0.5, 1.5)))

    def _text(self, _depth: int) -> dict[str, Any]:
        return self._some(
            minLength=self._choose.randrange(4),
            maxLength=self._choose.randrange(3),
            pattern=self._choose.choice(("^a", "b$", r"^\d+$", "^[^/]*$", "é")),
            format=self._choose.choice(("email", "date", "uuid", "ipv4", "date-time")),
        )

    def _array(self, depth: int) -> dict[str, Any]:
        tuple_keyword, rest = ("items", "additionalItems") if self._old else ("prefixItems", "items")
        several = [self._inside(depth) for _ in range(2)]
        made = self._some(
            minItems=self._choose.randrange(4),
            maxItems=self._choose.randrange(3),
            uniqueItems=True,
            items=self._inside(depth),
            contains=self._inside(depth),
            tuple={tuple_keyword: several, rest: self._inside(depth)},
        )
        made |= made.pop("tuple", {})
        if "contains" in made and not self._old:
            made |= self._some(minContains=self._choose.randint(1, 3), maxContains=3)
        return made

    def _object(self, depth: int) -> dict[str, Any]:
        some = self._choose.sample(_NAMES, 2)
        needs = "dependencies" if self._old else "dependentRequired"
        schemas = "dependencies" if self._old else "dependentSchemas"
        made = self._some(
            required=some,
            properties={name: self._inside(depth) for name in some},
            patternProperties={"^[a-c]": self._inside(depth)},
            additionalProperties=self._choose.choice((False, self._inside(depth))),
            propertyNames=self._choose.choice(
                ({"maxLength": 1}, {"pattern": "^[a-c]$"}, {"enum": ["a", "b"]})
            ),
            minProperties=self._choose.randrange(4),
            maxProperties=self._choose.randrange(4),
            needs={needs: {"a": some}},
            schemas={schemas: {"b": self._inside(depth)}},
            unevaluated={} if self._old else {"unevaluatedProperties": False},
        )
        for group in ("needs", "schemas", "unevaluated"):
            made |= made.pop(group, {})
        return made

    def _any_value(self, _depth: int) -> dict[str, Any]:
        types = ["string", "number", "integer", "boolean", "null", "array", "object"]
        return self._some(
            type=self._choose.choice((self._choose.choice(types), self._choose.sample(types, 2))),
            enum=self._choose.sample([*_TEXTS, *_NUMBERS, None, [], {"a": 1}], 3),
            const=self._choose.choice((1, "a", None, [1], {"a": "b"})),
        )

    def _combined(self, depth: int) -> dict[str, Any]:
        several = [self._inside(depth) for _ in range(2)]
        keyword = self._choose.choice(("allOf", "anyOf", "oneOf", "not"))
        return {keyword: several[0] if keyword == "not" else several}

    def _conditional(self, depth: int) -> dict[str, Any]:
        made = {"if": self._inside(depth), "then": self._inside(depth), "else": self._inside(depth)}
        if self._choose.random() < 0.3:
            del made[self._choose.choice(("then", "else"))]
        return made

    def _reference(self, _depth: int) -> dict[str, Any]:
        if _depth > 1:
            return {"type": "string"}
        place = "definitions" if self._old else "$defs"
        return {"$ref": f"#/{place}/" + self._choose.choice(("n", "m~1o"))}
