"""The token of an attempt in a path: the worker protocol and callbacks read it in the same way."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from eventstore.leases import CALLBACK
from eventstore.task_tokens import TaskKey, TokenForged
from gateway.deps import GATEWAY
from gateway.endpoint import BodyLimit, FromRequest
from gateway.middleware import bind_log_fields
from gateway.problems import ProblemError
from gateway.query import Parameter
from gateway.work.handed_out import REMOTE
from schemas.json_text import MAX_RESULT_BYTES

OF_AN_OUTPUT = BodyLimit(MAX_RESULT_BYTES)
"""The body has an output, which may be as large as that of any other capability."""

OF_ATTEMPT = "an attempt's own report: the log of its run has it"
"""Why these endpoints are not in the operations log."""

FORGED = {401: "This is no token of an attempt of this installation (`task_token_invalid`)."}
_FROM = {
    REMOTE: "take it from the answer to the claim, unchanged.",
    CALLBACK: "take it from the bundle's callbackUrl, unchanged.",
}


def _token(request: web.Request) -> str:
    return request.match_info["token"]


PathToken = Annotated[
    str,
    FromRequest(
        _token,
        [
            Parameter(
                "token", "path", "The token of the attempt: of its claim, or its bundle's `callbackToken`."
            )
        ],
    ),
]


async def read_task(request: web.Request, token: str, waiter: str = REMOTE) -> TaskKey:
    """The attempt that the token is for. Raises ProblemError (401) for one that is forged or not of such a `waiter`."""
    try:
        task = await request.app[GATEWAY].work.tokens.read(token)
    except TokenForged:
        task = None
    if task is None or not task.worker.startswith(waiter):
        raise ProblemError(401, "task_token_invalid", f"This is no token of an attempt: {_FROM[waiter]}")
    bind_log_fields(request, run_id=task.run_id, node_id=task.node_id, attempt=task.attempt)
    return task
