"""The TaskEnvelope: what is kept, what is refused, and where the refusal points."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas import pointer
from schemas.envelope import (
    EnvelopeRefused,
    FacetsContract,
    FreeformContract,
    JsonSchemaContract,
    Policies,
    TaskEnvelope,
    parse_envelope,
)
from schemas.parsing import validate_document
from tests.schemas.samples import EXAMPLES, REFUSED, envelope


def problems_of(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(orjson.dumps(document))
    return [(problem.code, problem.pointer) for problem in caught.value.problems]


def test_the_four_examples_are_there() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "infeasible",
        "linkedin-approval",
        "linkedin-flat-record",
        "linkedin-variants",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_comes_back_exactly_as_it_was_sent(path: Path) -> None:
    raw = path.read_bytes()
    sent = orjson.loads(raw)
    wire = parse_envelope(raw).to_wire()
    assert orjson.dumps(wire, option=orjson.OPT_SORT_KEYS) == orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)
    assert validate_document(TaskEnvelope, wire).to_wire() == wire


def test_keys_nobody_knows_are_kept_where_the_design_says_so() -> None:
    sent = envelope(
        inputs={"variantCount": 2, "snake_case": [1, 2.5, None, {"deep": True}]},
        constraints={"threadId": "t", "deadlineSeconds": 60, "variantCount": "2"},
        policies={
            "brandVoice": "bold",
            "variantCount": "2",
            "budget": {"euro": 3},
            "runtime": [
                {
                    "id": "p",
                    "trigger": {"event": "node_error", "nodeId": "a", "kind": None},
                    "action": "hitl",
                },
                {
                    "trigger": "node_error",
                    "action": {"type": "hitl", "question": "Go on?", "hitl": {"quorum": 3}},
                },
            ],
            "copy": "model_dump",
            "callback": "https://example.com",
            "urgency": "ours",
            "hitl": {"approvers": ["legal"], "quorum": 2, "expiresInSeconds": 60},
            "maxAttempts": 7,
            "fallback": "hitl",
            "humanReview": True,
        },
        metadata={"clientId": "c", "model_config": 1, "größe": "ä"},
        outputContract={"mode": "json_schema", "schema": True, "hints": {"anything": [1]}, "example": None},
    )
    assert parse_envelope(orjson.dumps(sent)).to_wire() == sent


def test_nothing_is_added_to_what_was_sent() -> None:
    sent = envelope()
    parsed = parse_envelope(orjson.dumps(sent))
    assert parsed.to_wire() == sent
    assert isinstance(parsed.output_contract, JsonSchemaContract)
    assert parsed.output_contract.mode == "json_schema"


def test_null_stands_for_an_optional_value_that_is_not_there() -> None:
    sent = envelope(constraints={"threadId": None, "deadlineSeconds": None}, metadata={"runLabel": None})
    assert parse_envelope(orjson.dumps(sent)).to_wire() == sent


def test_whole_seconds_stay_an_integer() -> None:
    raw = orjson.dumps(envelope(constraints={"deadlineSeconds": 60}))
    assert b'"deadlineSeconds":60}' in orjson.dumps(parse_envelope(raw).to_wire())


def test_a_key_that_stands_twice_is_refused_rather_than_one_of_them_obeyed() -> None:
    raw = b'{"objective":"a","objective":"b","outputContract":{"schema":{}}}'
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(raw)
    assert [(each.code, each.pointer) for each in caught.value.problems] == [("duplicate_key", "/objective")]


@pytest.mark.parametrize(
    ("contract", "model"),
    [
        ({"mode": "json_schema", "schema": False}, JsonSchemaContract),
        ({"schema": {}}, JsonSchemaContract),
        ({"mode": "freeform", "instructions": "A haiku", "expectedFormat": "markdown"}, FreeformContract),
        ({"mode": "freeform", "instructions": "A haiku", "example": "An old silent pond"}, FreeformContract),
        ({"mode": "facets", "facets": ["post_copy", "toneOfVoice"]}, FacetsContract),
    ],
)
def test_each_mode_of_contract_has_its_model(contract: dict[str, Any], model: type) -> None:
    parsed = parse_envelope(orjson.dumps(envelope(outputContract=contract)))
    assert type(parsed.output_contract) is model
    assert parsed.to_wire()["outputContract"] == contract


@pytest.mark.parametrize(
    ("keys", "required"),
    [
        ({}, False),
        ({"policies": {"requiresHitlApproval": True}}, True),
        ({"constraints": {"requiresHitlApproval": True}}, True),
        ({"constraints": {"requiresHitlApproval": False}, "policies": {"requiresHitlApproval": True}}, True),
    ],
)
def test_constraints_and_policies_may_both_ask_for_approval(keys: dict[str, Any], required: bool) -> None:
    assert parse_envelope(orjson.dumps(envelope(**keys))).approval_required is required


@pytest.mark.parametrize(("keys", "code", "place"), REFUSED, ids=[f"{row[1]} {row[2]}" for row in REFUSED])
def test_nonsense_is_refused_with_a_pointer_to_it(keys: dict[str, Any], code: str, place: str) -> None:
    assert problems_of(envelope(**keys)) == [(code, place)]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = problems_of({"objectiv": 1, "inputs": 2, "constraints": {"threadId": 3}})
    assert set(found) == {
        ("missing", "/objective"),
        ("wrong_type", "/inputs"),
        ("wrong_type", "/constraints/threadId"),
        ("missing", "/outputContract"),
        ("unknown_key", "/objectiv"),
    }


@pytest.mark.parametrize(
    ("keys", "place", "said"),
    [
        (
            {"policies": {"requiresHITLApproval": True}},
            "requiresHITLApproval",
            "mean 'requiresHitlApproval'?",
        ),
        ({"policies": {"requireHitlAproval": True}}, "requireHitlAproval", "mean 'requiresHitlApproval'?"),
        ({"policies": {"max_attempt": 1}}, "max_attempt", "mean 'maxAttempts'?"),
        ({"policies": {"hilt": {}}}, "hilt", "mean 'hitl'?"),
        ({"policies": {"approver": ["ann"]}}, "approver", "mean 'approvers' in policies.hitl?"),
        ({"policies": {"forbidSubmitter": True}}, "forbidSubmitter", "'forbidSubmitter' in policies.hitl?"),
        ({"policies": {"deadlineSeconds": 5}}, "deadlineSeconds", "'deadlineSeconds' in constraints?"),
        ({"policies": {"hitl": {"approver": []}}}, "hitl/approver", "mean 'approvers'?"),
        ({"constraints": {"deadlineSecond": 1}}, "deadlineSecond", "mean 'deadlineSeconds'?"),
        ({"constraints": {"approvers": []}}, "approvers", "Unknown key."),
        (
            {"policies": {"runtime": [{"trigger": "node_completed", "action": "hitl"}]}},
            "runtime/0/trigger",
            "mean 'node_complete'?",
        ),
        (
            {"policies": {"runtime": [{"trigger": {"event": "planGenerated"}, "action": "hitl"}]}},
            "runtime/0/trigger/event",
            "mean 'plan_generated'?",
        ),
        (
            {"policies": {"runtime": [{"trigger": "node_error", "action": "hittl"}]}},
            "runtime/0/action",
            "'hitl'?",
        ),
        (
            {"policies": {"runtime": [{"trigger": "node_error", "action": {"typ": "hitl", "type": "hitl"}}]}},
            "runtime/0/action/typ",
            "mean 'type'?",
        ),
        ({"policies": {"hitl": {"onExpiry": "aprove"}}}, "hitl/onExpiry", "mean 'approve'?"),
    ],
)
def test_a_rule_that_is_misspelt_or_misplaced_is_refused_with_the_nearest_right_word(
    keys: dict[str, Any], place: str, said: str
) -> None:
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(orjson.dumps(envelope(**keys)))
    (problem,) = caught.value.problems
    assert problem.pointer == f"/{next(iter(keys))}/{place}"
    assert said in problem.message


@pytest.mark.parametrize("document", [[], "text", 3, None, True])
def test_a_document_that_is_no_object_is_refused_as_a_whole(document: Any) -> None:
    assert problems_of(document) == [("wrong_type", "")]


@pytest.mark.parametrize(("key", "meant"), [("objektive", "objective"), ("outputcontract", "outputContract")])
def test_an_unknown_key_is_answered_with_the_one_that_was_meant(key: str, meant: str) -> None:
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(orjson.dumps(envelope(**{key: 1})))
    assert f"did you mean {meant!r}?" in str(caught.value)


@pytest.mark.parametrize(
    ("contract", "hint"),
    [
        ({"mode": "freeform", "instructions": "A haiku", "hints": {}}, "Unknown key."),
        ({"mode": "facets", "facets": ["post_copy"], "example": {}}, "Unknown key."),
        ({"mode": "facets", "facets": ["post_copy"], "facet": []}, "Unknown key; did you mean 'facets'?"),
        ({"schema": {"type": "object"}, "exmple": 1}, "Unknown key; did you mean 'example'?"),
    ],
)
def test_no_hint_names_the_key_itself_or_one_of_another_mode(contract: dict[str, Any], hint: str) -> None:
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(orjson.dumps(envelope(outputContract=contract)))
    assert [problem.message for problem in caught.value.problems] == [hint]


def test_many_problems_are_cut_and_counted() -> None:
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(orjson.dumps(envelope(**{f"key{n}": n for n in range(1_000)})))
    assert len(caught.value.problems) == 50
    assert caught.value.omitted == 950


def test_a_pointer_never_grows_with_the_keys_of_the_caller() -> None:
    document = envelope(
        inputs={"k" * 5_000: "\0"}, constraints={"fine": {"x" * 1_000: {"y" * 1_000: ["\0"]}}}
    )
    assert [place for _, place in problems_of(document)] == ["/inputs", "/constraints/fine/" + "x" * 1_000]
    assert pointer.resolve(document, "/inputs")


def test_a_new_envelope_is_built_with_the_names_of_python() -> None:
    built = TaskEnvelope(
        objective="x",
        policies=Policies(requires_hitl_approval=True),
        output_contract=JsonSchemaContract(schema_={"type": "string"}),
    )
    assert built.to_wire() == {
        "objective": "x",
        "policies": {"requiresHitlApproval": True},
        "outputContract": {"schema": {"type": "string"}},
    }
