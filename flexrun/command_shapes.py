"""What each command prints with `--json`: `docs/schemas/cli/` and `docs/commands.md`, made from the models.

`python -m flexrun.command_shapes` writes them, `--check` fails where they are out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic.json_schema import models_json_schema

from flexrun.doctor.findings import DoctorReport
from flexrun.generated_page import write_or_check
from flexrun.settings_origin import ConfigReport
from gateway.app import ENDPOINTS
from gateway.capabilities.facets import RegisteredFacet
from gateway.capabilities.models import RegisteredCapabilities, RegisteredCapability
from gateway.operations.openapi import openapi_document
from schemas import command_output as output
from schemas.base import Model, OpenModel
from schemas.export import PlainJsonSchema, used_by
from schemas.facets import DIALECT
from schemas.run_commands import BulkCount, BulkReport, EraseCount

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "schemas" / "cli"
PAGE = DOCS / "commands.md"

Form = Literal["document", "lines", "list"]


class FilesRegistered(OpenModel):
    """`flexrun capabilities register` and `flexrun facets register`: what files had in them."""

    facets: list[RegisteredFacet]
    capabilities: list[RegisteredCapability]


_LOCAL: tuple[type[Model], ...] = (
    BulkCount,
    BulkReport,
    EraseCount,
    ConfigReport,
    DoctorReport,
    FilesRegistered,
    RegisteredCapabilities,
    output.CapabilityTried,
    output.CheckpointWritten,
    output.DatabaseRoles,
    output.DatabaseSizes,
    output.DatabaseVerified,
    output.DescribedSetting,
    output.McpTools,
    output.LogAdopted,
    output.MigrationsApplied,
    output.KeysRewrapped,
    output.ReadModelsRebuilt,
    output.RunExported,
    output.RunRestored,
    output.RunsPruned,
    output.WebhookRemoved,
)
"""Models of what no endpoint answers; all others are in `/openapi.json`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One document of the first model, or of any of them; or such a document on each line, or a list of them."""

    models: tuple[str, ...]
    form: Form = "document"


def _one(*models: str) -> Shape:
    return Shape(models)


_CONTROLLED = _one("RunControlled", "BulkReport", "BulkCount")
_FRAMES = Shape(("FlexEvent",), "lines")

SHAPES: Mapping[str, Shape] = {
    "demo": _FRAMES,
    "submit": _FRAMES,
    "attach": _FRAMES,
    "plan": _one("TrialPlan"),
    "example": _one("TaskEnvelope"),
    "settings": Shape(("DescribedSetting",), "list"),
    "workers": _one("WorkerList"),
    "doctor": _one("DoctorReport"),
    "runs list": _one("RunList"),
    "runs show": _one("RunDetail"),
    "runs events": _FRAMES,
    "runs replay": _one("StateAt", "RunVerification"),
    "runs diff": _one("RunDiff"),
    "runs export": _one("RunExported"),
    "runs import": _one("RunImportReport"),
    "runs abort": _CONTROLLED,
    "runs pause": _CONTROLLED,
    "runs resume": _CONTROLLED,
    "runs retry": _one("RunForked", "BulkReport", "BulkCount"),
    "runs fork": _one("RunForked", "BulkReport", "BulkCount"),
    "runs erase": _one("BulkReport", "EraseCount"),
    "runs set-priority": _one("RunPrioritized", "BulkReport", "BulkCount"),
    "policies trigger": _one("RunControlled"),
    "hitl list": _one("PendingList"),
    "hitl show": _one("PendingRequest"),
    "hitl approve": _one("DecisionOutcome"),
    "hitl withdraw": _one("DecisionOutcome"),
    "hitl reject": _one("DecisionOutcome"),
    "hitl edit": _one("DecisionOutcome"),
    "hitl answer": _one("DecisionOutcome"),
    "hitl remove": _one("DecisionOutcome"),
    "hitl link": _one("LinkMade"),
    "hitl links list": _one("LinkList"),
    "hitl links revoke": _one("LinkSummary"),
    "tasks list": _one("TaskList"),
    "tasks show": _one("TaskSummary"),
    "tasks submit": _one("DecisionOutcome"),
    "tasks decline": _one("DecisionOutcome"),
    "capabilities try": _one("CapabilityTried"),
    "capabilities list": _one("CapabilityList"),
    "capabilities show": _one("CapabilityDetail"),
    "capabilities register": _one("FilesRegistered"),
    "capabilities disable": _one("CapabilityChanged"),
    "capabilities enable": _one("CapabilityChanged"),
    "capabilities remove": _one("CapabilityChanged"),
    "work list": _one("WorkList"),
    "work show": _one("WorkDetail"),
    "work release": _one("OperationReport"),
    "dead list": _one("DeadLetterList"),
    "dead show": _one("DeadLetterEntry"),
    "dead requeue": _one("OperationReport"),
    "dead drop": _one("OperationReport"),
    "config show": _one("ConfigReport"),
    "facets list": _one("FacetList"),
    "facets register": _one("FilesRegistered"),
    "webhooks add": _one("WebhookCreated"),
    "webhooks list": _one("WebhookList"),
    "webhooks remove": _one("WebhookRemoved"),
    "webhooks deliveries": _one("WebhookDeliveryList"),
    "limits list": _one("LimitList"),
    "limits show": _one("LimitsShown"),
    "limits set": _one("LimitsShown"),
    "limits unset": _one("LimitsShown"),
    "tokens create": _one("TokenCreated"),
    "tokens list": _one("TokenList"),
    "tokens revoke": _one("TokenEntry"),
    "operations list": _one("OperationList"),
    "mcp tools": _one("McpTools"),
    "mcp import": _one("RegisteredCapabilities"),
    "db token": _one("TokenCreated"),
    "db prune": _one("RunsPruned"),
    "db roles": _one("DatabaseRoles"),
    "db sizes": _one("DatabaseSizes"),
    "db verify": _one("DatabaseVerified"),
    "db checkpoint": _one("CheckpointWritten"),
    "db restore": _one("RunRestored"),
    "db adopt": _one("LogAdopted"),
    "db rewrap": _one("KeysRewrapped"),
    "db migrate": _one("MigrationsApplied"),
    "db rebuild": _one("ReadModelsRebuilt"),
}
"""By command; those that are not here serve and print no document."""

HEAD = """# What commands print with `--json`

Generated from `flexrun/command_shapes.py`; do not edit. Each command has a JSON Schema: of the one document that it
prints, of each of its lines, or of the list. Where several are named, it is one of them. Keys may be added by a later
version, and none is taken away within `v1`. A failure is a sentence on standard error, and prints no document. Exit
statuses: [operations](operations.md#processes).

| command | prints | schema |
|---|---|---|
"""


def _components() -> dict[str, dict[str, Any]]:
    _, local = models_json_schema(
        [(model, "validation") for model in _LOCAL],
        ref_template="#/components/schemas/{model}",
        schema_generator=PlainJsonSchema,
    )
    return {**local["$defs"], **openapi_document(ENDPOINTS, "cli")["components"]["schemas"]}


def file_name(command: str) -> str:
    """`runs-set-priority.json` for `runs set-priority`."""
    return f"{command.replace(' ', '-')}.json"


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each command: of its document, of one of its lines, or of its list."""
    components = _components()
    return {command: _schema(shape, components) for command, shape in SHAPES.items()}


def _schema(shape: Shape, components: dict[str, dict[str, Any]]) -> dict[str, Any]:
    used = sorted(set[str]().union(*(used_by(name, components) for name in shape.models)))
    one: dict[str, Any] = {"$ref": f"#/$defs/{shape.models[0]}"}
    if len(shape.models) > 1:
        one = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in shape.models]}
    whole = {"type": "array", "items": one} if shape.form == "list" else one
    definitions = orjson.dumps({name: components[name] for name in used})
    moved = definitions.replace(b"#/components/schemas/", b"#/$defs/")
    return {"$schema": DIALECT, **whole, "$defs": orjson.loads(moved)}


def page() -> str:
    """`docs/commands.md`."""
    words = {"document": "one document", "lines": "a document a line", "list": "a list"}
    return HEAD + "".join(
        f"| `flexrun {command}` | {words[shape.form]}: {', '.join(f'`{name}`' for name in shape.models)} |"
        f" [{file_name(command)}](schemas/cli/{file_name(command)}) |\n"
        for command, shape in SHAPES.items()
    )


def main() -> int:
    """Write the page and the schemas, or with `--check` say whether they are up to date (exit 1 when not)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = {
        file_name(command): orjson.dumps(
            schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        ).decode()
        for command, schema in schemas().items()
    }
    stale = [each for each in FOLDER.glob("*.json") if each.name not in texts]
    if "--check" not in sys.argv[1:]:
        for each in stale:
            each.unlink()
    module = "flexrun.command_shapes"
    results = [write_or_check(PAGE, page(), module)]
    results += [write_or_check(FOLDER / name, text, module) for name, text in texts.items()]
    return 1 if any(results) or (stale and "--check" in sys.argv[1:]) else 0


if __name__ == "__main__":
    sys.exit(main())
