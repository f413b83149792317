"""JSON from outside: broken, too deep, with numbers too long, with characters that Postgres cannot hold."""

import orjson
import pytest

from schemas.envelope import EnvelopeRefused, parse_envelope
from schemas.json_text import MAX_DEPTH, load_json
from schemas.refusal import DocumentRefused, FieldProblem


def only_problem(raw: bytes) -> FieldProblem:
    with pytest.raises(DocumentRefused) as caught:
        load_json(raw)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", "line 1, column 1, character 0"),
        (b'{"a":}', "line 1, column 6, character 5"),
        (b'{"a": 1,\n "b": nope}', "line 2, column 7, character 15"),
        (b'{"a": 1', "line 1, column 8, character 7"),
        (b"{}{}", "line 1, column 3, character 2"),
        (b'{"a": NaN}', "line 1, column 7, character 6"),
        (b'{"a": -Infinity}', "character"),
        (b'{"a": 1e999}', "line 1, column 7, character 6"),
        (b'"\\ud800"', "character"),
        (b'"\xff"', "character"),
        (b'"\x00"', "character"),
        (b"\xef\xbb\xbf{}", "character"),
        (b"9" * 10_000, "line 1, column 1, character 0"),
    ],
)
def test_broken_json_is_refused_with_the_place_where_it_breaks(raw: bytes, where: str) -> None:
    problem = only_problem(raw)
    assert (problem.code, problem.pointer) == ("invalid_json", "")
    assert where in problem.message


@pytest.mark.parametrize("depth", [300, 1_000, 1_024, 1_025, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused_whoever_notices_it(depth: int, opening: bytes, closing: bytes) -> None:
    innermost = b"1" if opening != b"[" else b""
    assert only_problem(opening * depth + innermost + closing * depth).code == "too_deep"


def test_the_deepest_nesting_allowed_is_read_and_one_more_is_not() -> None:
    allowed = orjson.loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert load_json(orjson.dumps(allowed)) == allowed
    problem = only_problem(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert (problem.code, problem.pointer) == ("too_deep", "/0" * MAX_DEPTH)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    wide = [[{}] for _ in range(1_000)]
    assert load_json(orjson.dumps(wide)) == wide


def test_a_deep_envelope_says_where_it_gets_too_deep() -> None:
    raw = b'{"objective":"x","outputContract":{"schema":{}},"inputs":{"a":' + b"[" * 300 + b"]" * 300 + b"}}"
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(raw)
    (problem,) = caught.value.problems
    assert problem.pointer == "/inputs/a" + "/0" * 98


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**64 - 1, 0, -1])
def test_an_integer_of_64_bit_is_kept_exactly(number: int) -> None:
    assert load_json(b'{"a":%d}' % number) == {"a": number}


@pytest.mark.parametrize(
    "digits", ["18446744073709551616", "-9223372036854775809", "1" + "0" * 40, "9" * 300]
)
def test_a_longer_integer_is_refused_rather_than_rounded(digits: str) -> None:
    problem = only_problem(b'{"a":[1,{"b/c":' + digits.encode() + b"}]}")
    assert (problem.code, problem.pointer) == ("integer_out_of_range", "/a/1/b~1c")


@pytest.mark.parametrize(
    "raw", [b'"' + b"7" * 40 + b'"', b"1234567890123456789012345.5", b"1e30", b'{"9999999999999999999999":1}']
)
def test_many_digits_that_are_no_integer_are_no_harm(raw: bytes) -> None:
    assert load_json(raw) == orjson.loads(raw)


@pytest.mark.parametrize(
    "raw", [b'"\\\\u0000"', b'{"a":"\\\\u0000"}', b'"\\u00001"'.replace(b"\\u00001", b"\\u0001")]
)
def test_text_that_only_looks_like_a_nul_is_no_harm(raw: bytes) -> None:
    assert load_json(raw) == orjson.loads(raw)


def test_every_nul_is_found_in_the_order_of_the_document() -> None:
    document = {"a": ["\0", "b"], "c": {"d": "x\0"}, "e\0": 1}
    with pytest.raises(DocumentRefused) as caught:
        load_json(orjson.dumps(document))
    assert [problem.pointer for problem in caught.value.problems] == ["", "/a/0", "/c/d"]


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        (b'{"a":1,"a":1}', ["/a"]),
        (b'{"a":1,"\\u0061":2}', ["/a"]),
        (b'{"a":[0,{"b/c":1, "b/c" : 2,"d":{},"d":3}],"e":1}', ["/a/1/b~1c", "/a/1/d"]),
        (b'{"a":{"b":1,"b":2},"a":{"c":1,"c":2}}', ["/a", "/a/c"]),
        (b'{"a":1,"a":2,"a":3}', ["/a"]),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_place(raw: bytes, pointers: list[str]) -> None:
    with pytest.raises(DocumentRefused) as caught:
        load_json(raw)
    found = [(problem.code, problem.pointer) for problem in caught.value.problems]
    assert found == [("duplicate_key", pointer) for pointer in pointers]


def test_the_same_key_in_two_objects_and_texts_that_look_like_keys_are_no_harm() -> None:
    document = {"a": {"b": 1}, "b": [{"b": '"b":1,"b":2'}, {"b": 2}], "A": 1}
    assert load_json(orjson.dumps(document)) == document


@pytest.mark.parametrize("dropped", [b"[" * 990 + b"]" * 990, b'{"x":' * 990 + b"1" + b"}" * 990])
def test_a_deep_value_behind_a_repeated_key_is_refused_as_well(dropped: bytes) -> None:
    with pytest.raises(DocumentRefused) as caught:
        load_json(b'{"a":' + dropped + b',"a":1}')
    assert caught.value.problems[0].code in {"too_deep", "duplicate_key"}


def test_a_refusal_without_a_problem_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        DocumentRefused([])
