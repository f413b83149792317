"""JSON Schemas of everything that crosses a boundary: for `docs/schemas/`, and for OpenAPI.

`python -m schemas.export` writes the files, `python -m schemas.export --check` fails where they are out of date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas import control, hitl, on_call, work
from schemas.base import Model
from schemas.capability import CapabilityDescriptor
from schemas.envelope import OutputContract, TaskEnvelope
from schemas.events import ERASED_MEMBER, PAYLOADS, FlexEvent, NodeDelta
from schemas.facet_body import FacetBody
from schemas.facets import DIALECT, FACETS
from schemas.house_policy import HousePolicy
from schemas.limits import LimitsBody, LimitsUnsetBody
from schemas.messages import WORK_MESSAGE_SCHEMA
from schemas.plan import PlanGraph
from schemas.problem import Problem
from schemas.run_commands import BulkCount, BulkReport
from schemas.tokens import TokenBody
from schemas.webhooks import WebhookBody

_OF_COMMANDS = "cli/"
"""What `flexrun.command_shapes` writes."""

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"

PUBLIC_MODELS: dict[str, type[Model]] = {
    "task-envelope": TaskEnvelope,
    "plan-graph": PlanGraph,
    "flex-event": FlexEvent,
    "capability-descriptor": CapabilityDescriptor,
    "facet-body": FacetBody,
    "hitl-request": hitl.HitlRequest,
    "hitl-resume-body": hitl.ResumeBody,
    "hitl-remove-body": hitl.HitlRemoveBody,
    "hitl-link-body": control.LinkBody,
    "run-resume-body": control.RunResumeBody,
    "operator-body": control.OperatorBody,
    "policy-trigger-body": control.PolicyTriggerBody,
    "priority-body": control.PriorityBody,
    "fork-body": control.ForkBody,
    "human-task": control.HumanTask,
    "task-submit-body": control.TaskSubmitBody,
    "task-decline-body": control.TaskDeclineBody,
    "token-body": TokenBody,
    "limits-body": LimitsBody,
    "limits-unset-body": LimitsUnsetBody,
    "webhook-body": WebhookBody,
    "work-claim-body": work.ClaimBody,
    "work-heartbeat-body": work.HeartbeatBody,
    "work-complete-body": work.CompleteBody,
    "work-fail-body": work.FailBody,
    "work-ask-body": work.AskBody,
    "work-log-body": work.LogBody,
    "work-delta-body": work.DeltaBody,
    "work-release-body": on_call.ReleaseWorkBody,
    "dead-letters-requeue-body": on_call.RequeueLettersBody,
    "dead-letters-drop-body": on_call.DropLettersBody,
    "node-delta": NodeDelta,
    "capability-result": work.CapabilityResult,
    "house-policy": HousePolicy,
    "problem": Problem,
}


class PlainJsonSchema(GenerateJsonSchema):
    """Without what says nothing: titles made from names, and `default: null`.

    A field that may be left out is not in `required`. Generators of TypeScript make one with a default, null among
    them, a field that has to be there.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            del made["default"]
        return made


def component_schemas(ref_template: str = "#/components/schemas/{model}") -> dict[str, dict[str, Any]]:
    """The schemas of all public models and of what they use, by name, as OpenAPI's components want them."""
    models = [*PUBLIC_MODELS.values(), *PAYLOADS.values()]
    _, combined = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=ref_template,
        schema_generator=PlainJsonSchema,
    )
    components: dict[str, dict[str, Any]] = combined["$defs"]
    components["FlexEvent"]["allOf"] = _payload_rules(ref_template)
    return dict(sorted(components.items()))


def documents() -> dict[str, bytes]:
    """Every exported file, by its path below `docs/schemas/`."""
    schemas = dict(_self_contained())
    schemas["output-contract"] = TypeAdapter[Any](OutputContract).json_schema(
        schema_generator=PlainJsonSchema
    )
    for name, model in (("bulk-report", BulkReport), ("bulk-count", BulkCount)):
        schemas[name] = model.model_json_schema(schema_generator=PlainJsonSchema)
    schemas["work-message"] = WORK_MESSAGE_SCHEMA
    schemas["capability-file"] = _capability_file()
    schemas |= {f"facets/{facet.name}": facet.schema for facet in FACETS.values()}
    return {f"{name}.json": _encode(schema) for name, schema in sorted(schemas.items())}


def write(folder: Path) -> None:
    """Make `folder` hold exactly the exported files."""
    wanted = documents()
    for stale in _files(folder) - wanted.keys():
        (folder / stale).unlink()
    for name, content in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def out_of_date(folder: Path) -> list[str]:
    """The names of the files that are missing, changed or left over in `folder`."""
    wanted = documents()
    changed = {name for name, content in wanted.items() if not _holds(folder / name, content)}
    return sorted(changed | (_files(folder) - wanted.keys()))


def _self_contained() -> Iterator[tuple[str, dict[str, Any]]]:
    components = component_schemas("#/$defs/{model}")
    for name, model in PUBLIC_MODELS.items():
        used = used_by(model.__name__, components)
        definitions = {other: components[other] for other in sorted(used - {model.__name__})}
        yield name, components[model.__name__] | ({"$defs": definitions} if definitions else {})


def _capability_file() -> dict[str, Any]:
    """A document of a file for `--capabilities`: a descriptor, a list of them, a facet, or lists of both."""
    components = component_schemas("#/$defs/{model}")
    wanted = used_by(CapabilityDescriptor.__name__, components) | used_by(FacetBody.__name__, components)
    descriptor = {"$ref": f"#/$defs/{CapabilityDescriptor.__name__}"}
    facet = {"$ref": f"#/$defs/{FacetBody.__name__}"}
    lists = {
        "facets": {"type": "array", "items": facet},
        "capabilities": {"type": "array", "items": descriptor},
    }
    return {
        "anyOf": [
            descriptor,
            facet,
            {"type": "array", "items": descriptor},
            {"type": "object", "properties": lists, "additionalProperties": False, "minProperties": 1},
        ],
        "$defs": {name: components[name] for name in sorted(wanted)},
    }


def used_by(name: str, components: dict[str, dict[str, Any]]) -> set[str]:
    """The names of all components that `name` refers to, directly or not, itself included."""
    used: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in used:
            used.add(current)
            waiting.extend(references(components[current]))
    return used


def references(schema: object) -> Iterator[str]:
    """The names of the components that a schema refers to."""
    if isinstance(schema, dict):
        for key, value in cast("dict[str, object]", schema).items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from references(value)
    elif isinstance(schema, list):
        for item in cast("list[object]", schema):
            yield from references(item)


def _payload_rules(ref_template: str) -> list[dict[str, Any]]:
    return [
        {
            "if": {
                "properties": {
                    "type": {"const": event_type},
                    "payload": {"properties": {ERASED_MEMBER: False}},
                }
            },
            "then": {"properties": {"payload": {"$ref": ref_template.format(model=model.__name__)}}},
        }
        for event_type, model in PAYLOADS.items()
    ]


def _encode(schema: dict[str, Any]) -> bytes:
    whole = {"$schema": DIALECT} | schema
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    return {name for name in found if not name.startswith(_OF_COMMANDS)}


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` only look; returns the exit status."""
    if arguments == ["--check"]:
        stale = out_of_date(FOLDER)
        for name in stale:
            sys.stderr.write(f"docs/schemas/{name} is out of date: run python -m schemas.export\n")
        return 1 if stale else 0
    if arguments:
        sys.stderr.write("usage: python -m schemas.export [--check]\n")
        return 2
    write(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
