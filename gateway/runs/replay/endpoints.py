"""`GET /api/v1/flex/runs/{id}/state` and `/verification`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import psycopg
from aiohttp import web

from eventstore.errors import translate
from eventstore.run_check import check_beside
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.query import Query, moment, query_problem, whole_number
from gateway.response import json_response
from gateway.run_id import PathRunId
from gateway.runs.documentation import RUN_UNKNOWN
from gateway.runs.events import head_of
from gateway.runs.replay.models import RunVerification, StateAt
from runs.event import rfc3339

ENDPOINTS = Endpoints("runs")


class StateQuery(Query):
    """As of which event; without one, the last."""

    at_seq: Annotated[int | None, whole_number("The event after which the state is shown.", least=1)] = None
    at_time: Annotated[datetime | None, moment("A time instead: the last event that was there then.")] = None


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}/state",
    name="showRunState",
    needs="runs:read",
    summary="A run as it was after any of its events",
    description="Folded from the log by this version.",
    responses=[DocumentedResponse(200, "The state.", {JSON: StateAt})],
    problems={400: "There is no such event, or the run was not there yet (`query_invalid`)."}
    | RUN_UNKNOWN
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def show_state(request: web.Request, run_id: PathRunId, query: StateQuery) -> web.Response:
    """The state after an event, with that event."""
    gateway = request.app[GATEWAY]
    head = await head_of(gateway, run_id)
    seq = query.at_seq or head
    if query.at_time is not None:
        if query.at_seq is not None:
            raise query_problem("atTime", "atSeq is given as well; give one of them.")
        seq = await gateway.history.seq_at(run_id, query.at_time)
        if seq == 0:
            raise query_problem("atTime", f"the run was not there yet at {rfc3339(query.at_time)}.")
    if seq > head:
        raise query_problem("atSeq", f"the run has {head} events so far.")
    state = await gateway.history.state_at(run_id, seq)
    (event,) = await gateway.deps.store.read(run_id, after=seq - 1, until=seq)
    return json_response(StateAt.of(state, event, head), run_id=run_id)


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}/verification",
    name="verifyRun",
    needs="runs:read",
    summary="Whether the log of a run and its rows are what was written",
    description="Folds the log, checks its hash chain, and compares the read models with what the log makes of them.",
    responses=[
        DocumentedResponse(200, "What was found; `holds` says whether nothing was.", {JSON: RunVerification})
    ],
    problems=RUN_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def verify_run(request: web.Request, run_id: PathRunId) -> web.Response:
    """A check of one run as of one moment."""
    gateway = request.app[GATEWAY]
    await head_of(gateway, run_id)
    try:
        check = await check_beside(gateway.deps.store.database_url, run_id)
    except psycopg.Error as error:
        raise translate(error) from error
    return json_response(RunVerification.of(run_id, check), run_id=run_id)
