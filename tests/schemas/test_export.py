"""The exported JSON Schemas: up to date, deterministic, and saying the same as the models."""

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from jsonschema.validators import validator_for

from schemas import export
from schemas.envelope import parse_envelope
from schemas.events import PAYLOADS
from tests.schemas.samples import EXAMPLES, PAYLOAD_OF, REFUSED, envelope, frame

# What a JSON Schema has no words for; the models refuse it all the same.
BEYOND_JSON_SCHEMA = {"nul_character", "bad_format"}
BEYOND_PLACES = {
    "/policies",
    "/policies/hitl/escalateTo",
    "/policies/requiresHITLApproval",
    "/policies/approvers",
    "/policies/planner/directives/requireHitlApproval",
    "/policies/runtime/0/trigger/nodeId",
    "/policies/runtime/0/action/hitl",
    "/policies/runtime/0/action/hitl/escalateTo",
}


def schema_of(name: str) -> dict[str, Any]:
    return orjson.loads(export.documents()[name])


def test_the_files_in_docs_are_up_to_date() -> None:
    assert export.out_of_date(export.FOLDER) == []


def test_writing_removes_what_is_left_over_and_mends_what_was_changed(tmp_path: Path) -> None:
    export.write(tmp_path)
    assert export.out_of_date(tmp_path) == []
    (tmp_path / "facets" / "gone.json").write_text("{}")
    (tmp_path / "problem.json").write_text("{}")
    (tmp_path / "task-envelope.json").unlink()
    assert export.out_of_date(tmp_path) == ["facets/gone.json", "problem.json", "task-envelope.json"]
    export.write(tmp_path)
    assert export.out_of_date(tmp_path) == []


@pytest.mark.parametrize("name", export.documents())
def test_each_file_is_a_valid_schema_that_stands_alone(name: str) -> None:
    schema = schema_of(name)
    validator_for(schema).check_schema(schema)
    for reference in export.references(schema):
        assert reference in schema["$defs"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_exported_schema_takes_the_examples(path: Path) -> None:
    jsonschema.Draft202012Validator(schema_of("task-envelope.json")).validate(orjson.loads(path.read_bytes()))


@pytest.mark.parametrize(
    "keys", [row[0] for row in REFUSED if row[1] not in BEYOND_JSON_SCHEMA and row[2] not in BEYOND_PLACES]
)
def test_the_exported_schema_refuses_what_the_model_refuses(keys: dict[str, Any]) -> None:
    assert not jsonschema.Draft202012Validator(schema_of("task-envelope.json")).is_valid(envelope(**keys))


def test_the_exported_frame_ties_each_payload_to_its_type() -> None:
    validator = jsonschema.Draft202012Validator(schema_of("flex-event.json"))
    for event_type, payload in PAYLOAD_OF.items():
        validator.validate(frame(event_type, payload))
        if PAYLOADS[event_type].model_json_schema().get("required"):
            assert not validator.is_valid(frame(event_type, {}))


def test_every_reference_of_the_components_is_among_them() -> None:
    components = export.component_schemas()
    assert {"TaskEnvelope", "FlexEvent", "StartPayload", "Problem", "ResumeBody", "PlanNode"} <= set(
        components
    )
    assert set(export.references(components)) <= set(components)


def test_check_says_what_is_out_of_date_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "FOLDER", tmp_path)
    assert export.main(["--check"]) == 1
    assert "task-envelope.json is out of date" in capsys.readouterr().err
    assert export.main([]) == 0
    assert export.main(["--check"]) == 0
    assert export.main(["--chek"]) == 2


def test_the_schema_and_the_parser_agree_that_the_smallest_envelope_is_one() -> None:
    smallest = envelope()
    parse_envelope(orjson.dumps(smallest))
    jsonschema.Draft202012Validator(schema_of("task-envelope.json")).validate(smallest)
