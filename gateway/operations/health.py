"""Health and readiness: open to everyone who may connect."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import JSON, DocumentedResponse, Endpoints
from gateway.problems import unavailable
from gateway.response import Response, json_response

ENDPOINTS = Endpoints("operations")


class Health(Response):
    """The process answers."""

    status: Literal["ok"]


class Part(Response):
    """A part that `/readyz` looks at. `missing`, a role that no process has, and `late`, checkpoints that are late or
    cannot be written, make nothing unready.
    """

    name: Literal["database", "broker", "work", "planner", "executor", "checkpoints"]
    status: Literal["ok", "failed", "missing", "late"]
    detail: str | None = None


class Readiness(Response):
    """Requests may be sent here. `degraded`: no process plays the `missingRoles`; runs are accepted and wait."""

    status: Literal["ready", "degraded"]
    database: Literal["ok"]
    broker: Literal["ok", "none"]
    missingRoles: list[Literal["planner", "executor"]]  # noqa: N815 - the wire's name
    version: str
    parts: list[Part]


@ENDPOINTS.get(
    "/healthz",
    name="health",
    summary="Whether this process answers",
    responses=[DocumentedResponse(200, "It does.", {JSON: Health})],
    open=True,
)
async def health(_request: web.Request) -> web.Response:
    """The process answers; nothing else is looked at."""
    return json_response({"status": "ok"})


@ENDPOINTS.get(
    "/readyz",
    name="readiness",
    summary="Whether requests should be sent here",
    responses=[DocumentedResponse(200, "They should.", {JSON: Readiness})],
    problems={
        503: "A run could not be started and finished now (`not_ready`); `detail` says why, `parts` which part is not"
        " well, and `state` whether this gateway is draining, deaf or not_ready."
    },
    open=True,
)
async def readiness(request: web.Request) -> web.Response:
    """Whether a run could be started here and finished now; what is missing for that is named.

    A role that no process plays is named too and does not count: its processes may be restarting, and runs wait.
    """
    gateway = request.app[GATEWAY]
    if gateway.stopping:
        raise unavailable("not_ready", "This gateway is stopping.", state="draining", parts=[])
    found = await gateway.readiness.found()
    if not found.ready:
        raise unavailable(
            "not_ready", f"Not ready: {'; '.join(found.faults)}.", state=found.state, parts=found.parts()
        )
    return json_response(
        {
            "status": "degraded" if found.missing else "ready",
            "database": "ok",
            "broker": "none" if gateway.deps.broker is None else "ok",
            "missingRoles": list(found.missing),
            "version": gateway.deps.version,
            "parts": found.parts(),
        }
    )
