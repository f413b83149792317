"""`POST /api/v1/flex/runs/import`: a run from the file that an export wrote, here or elsewhere (docs/proof.md).

The file is written to the disk as it comes, and a child process of its own reads, checks and stores it: whatever it
holds, it costs this process nothing but the copying.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web

from eventstore.import_child import AWAY, FUNCTION
from eventstore.imported_rows import ImportedRun, imported_run
from eventstore.tenancy import tenant_of_scope
from gateway.body import spool_body
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.errors import RunDiffers
from gateway.middleware import bind_log_fields, caller
from gateway.problems import ProblemError, unavailable
from gateway.response import Response, document, json_response, present
from gateway.runs.export import GZIP
from runs.event import JsonObject
from sandbox.config import SandboxConfig
from sandbox.errors import InputRefused, SandboxCrashed, SandboxFailed, SandboxTimedOut
from sandbox.sandbox import Sandbox
from schemas.base import RunId, Timestamp
from schemas.vocabulary import RunStatus

ENDPOINTS = Endpoints("runs")

_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_STALL_SECONDS = 120.0
"""How long the child may wait for the database beyond the CPU time that it may use."""

_TOO_LARGE = "too_large"


class ImportOrigin(Response):
    """When and by whom a run was imported, and what its file says of its origin."""

    imported_at: Timestamp
    imported_by: str
    installation: str | None = None
    flexrun: str
    exported_at: Timestamp
    events: int
    head_hash: str | None = None

    @classmethod
    def of(cls, run: ImportedRun) -> JsonObject:
        """As its row has it."""
        return document(cls, run)


class RunImportReport(Response):
    """What came of an import. `stored` is false where the run was here already, with this history.

    A run that was made here has no `imported`, and goes on as it was.
    """

    run_id: RunId
    status: RunStatus
    events: int
    head_hash: str | None = None
    stored: bool
    imported: ImportOrigin | None = None


@ENDPOINTS.post(
    "/api/v1/flex/runs/import",
    name="importRun",
    needs="admin",
    acts_on="run",
    summary="A run from an exported file",
    description="The body is a file as `exportRun` answers it. The run keeps its id, and is read-only: it can be shown,"
    " replayed, compared, verified and forked. `admin`, since the file says who decided what, and nobody here has seen"
    " them do it.",
    takes=GZIP,
    responses=[
        DocumentedResponse(201, "Imported.", {JSON: RunImportReport}),
        DocumentedResponse(200, "It was here already.", {JSON: RunImportReport}),
    ],
    problems={
        400: "The file is no whole export of a run, or was changed (`import_invalid`): the text says what is wrong,"
        " `line` where, `cause` of what kind.",
        409: "There is, or was, a run of this id with another history (`run_differs`).",
        413: "The file is too large, or has too much in it (`body_too_large`, `import_too_large`).",
    }
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def import_run(request: web.Request) -> web.Response:
    """Store the run of a file as it was, to be read."""
    gateway = request.app[GATEWAY]
    config = gateway.config
    with tempfile.TemporaryDirectory(prefix="flexrun-import-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "run.jsonl.gz"
        with path.open("wb") as file:
            await spool_body(
                request, config, file, limit_bytes=config.import_limit_bytes, seconds=config.import_seconds
            )
        async with gateway.importing:
            found = await _in_child(gateway, path, caller(request).name)
    bind_log_fields(request, run_id=found["runId"])
    imported = await imported_run(gateway.deps.store, found["runId"])
    report = document(
        RunImportReport,
        None,
        run_id=found["runId"],
        status=found["status"],
        events=found["events"],
        stored=found["stored"],
        **present(
            head_hash=found["headHash"],
            imported=ImportOrigin.of(imported) if imported is not None else None,
        ),
    )
    return json_response(report, status=201 if found["stored"] else 200, run_id=found["runId"])


async def _in_child(gateway: Gateway, path: Path, imported_by: str) -> dict[str, Any]:
    """Raises ProblemError, RunDiffers."""
    config = gateway.config
    argument = {
        "databaseUrl": gateway.deps.store.database_url,
        "path": str(path),
        "importedBy": imported_by,
        "tenant": tenant_of_scope(),
        "limits": {
            "bytes": config.import_unpacked_bytes,
            "events": config.import_events,
            "line_bytes": config.import_line_bytes,
        },
    }
    child = SandboxConfig(
        spares=0,
        deadline_seconds=config.import_seconds,
        memory_bytes=_MEMORY_BYTES,
        stall_seconds=_STALL_SECONDS,
    )
    try:
        async with Sandbox(child) as sandbox:
            found: dict[str, Any] = await sandbox.call(FUNCTION, argument)
    except InputRefused as refusal:
        raise _refused(refusal.data) from None
    except (SandboxTimedOut, SandboxCrashed) as failure:
        raise ProblemError(413, "import_too_large", f"The file cannot be read: {failure}") from None
    except SandboxFailed as failure:
        raise unavailable("import_unavailable", f"The file could not be read just now: {failure}") from None
    if AWAY in found:
        raise unavailable("store_unavailable", f"The run could not be stored: {found[AWAY]}")
    return found


def _refused(data: dict[str, Any]) -> Exception:
    if "differs" in data:
        return RunDiffers(data["differs"])
    large = data["cause"] == _TOO_LARGE
    problem = ProblemError(
        413 if large else 400, "import_too_large" if large else "import_invalid", data["message"]
    )
    problem.more = present(cause=data["cause"], line=data["line"])
    return problem
