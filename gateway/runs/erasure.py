"""`POST /api/v1/flex/runs/{id}/erase` and `GET …/erasure`: the personal data of a run, removed for good."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from eventstore.erasure import CopiedTo, RunToErase, copied_to, erase, run_to_erase
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import JSON, MAY_BE_EMPTY, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.errors import RunInProgress, RunNotErasable
from gateway.middleware import caller
from gateway.operators import operator_text
from gateway.response import Response, document, json_response, present
from gateway.run_id import PathRunId
from gateway.runs.documentation import RUN_UNKNOWN
from runs.errors import RunUnknown
from runs.event import JsonObject
from schemas.base import RunId, Timestamp
from schemas.control import OperatorBody
from schemas.payloads import Erased
from schemas.vocabulary import RunStatus

ENDPOINTS = Endpoints("control")


class CopyOfRun(Response):
    """A run that was made from another one: it has copies of its data under its own key, and is erased by itself."""

    run_id: RunId
    status: RunStatus
    erasable: bool
    erased_at: Timestamp | None = None

    @classmethod
    def of(cls, copy: CopiedTo) -> JsonObject:
        """A copy as its row has it."""
        return document(cls, copy, erasable=copy.keyed and copy.erased_at is None)


class RunErasure(Response):
    """A run as far as its erasure is concerned. `erasable`: it has a key; once it is over, it can be erased.

    `erased` is there where it was. `copies` are the runs that were made from it, and from those: up to 1,000.
    """

    run_id: RunId
    status: RunStatus
    events: int
    erasable: bool
    erased: Erased | None = None
    copies: list[CopyOfRun]

    @classmethod
    def of(cls, run: RunToErase, copies: list[CopiedTo]) -> JsonObject:
        """A run and its copies as their rows have them."""
        return document(
            cls,
            run,
            leave_out=("erased",),
            erasable=run.keyed and run.erased_at is None,
            copies=[CopyOfRun.of(each) for each in copies],
            **present(erased=run.erased),
        )


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}/erasure",
    name="showErasure",
    needs="admin",
    summary="Whether a run can be erased, was erased, and which runs have copies of its data",
    responses=[DocumentedResponse(200, "The run.", {JSON: RunErasure})],
    problems=RUN_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def show_erasure(request: web.Request, run_id: PathRunId) -> web.Response:
    """What erasing the run would do; it changes nothing."""
    return await _answer(request.app[GATEWAY], run_id)


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/erase",
    name="eraseRun",
    needs="admin",
    summary="Remove the data of a finished run for good",
    description="The key of the run is destroyed and its rows are emptied; there is no way back. What stays is how many"
    " events it had, of which types and when, and that it was erased. Runs that were made from it (`copies`) have"
    " copies of its data, and are erased one by one.",
    responses=[DocumentedResponse(200, "Done, or done before.", {JSON: RunErasure})],
    problems={400: "The body is not an OperatorBody (`invalid_json`, `invalid_body`)."}
    | {
        409: "The run is not over (`run_in_progress`), or it began without a key and cannot be erased"
        " (`run_not_erasable`)."
    }
    | RUN_UNKNOWN
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def erase_run(
    request: web.Request, run_id: PathRunId, body: Annotated[OperatorBody, MAY_BE_EMPTY]
) -> web.Response:
    """Erase the run; a second time changes nothing."""
    gateway, actor = request.app[GATEWAY], caller(request)
    claimed = operator_text(body.operator)
    by = actor.name if actor.verified or claimed is None else claimed
    outcome = await gateway.shield_write(erase(gateway.deps.store, run_id, by, body.reason))
    if outcome == "in_progress":
        raise RunInProgress(f"Run {run_id} is not over; abort it first, or wait for its end, then erase it.")
    if outcome == "no_key":
        raise RunNotErasable(
            f"Run {run_id} began while FLEXRUN_ERASABLE was off: its data has no key that could be destroyed."
            " flexrun db prune removes whole runs."
        )
    return await _answer(gateway, run_id)


async def _answer(gateway: Gateway, run_id: str) -> web.Response:
    store = gateway.deps.store
    run = await run_to_erase(store, run_id)
    if run is None:
        raise RunUnknown(f"there is no run {run_id}")
    return json_response(RunErasure.of(run, await copied_to(store, run_id)), run_id=run_id)
