"""What OpenAPI says of more than one endpoint for people, and the query of the lists of what waits."""

from __future__ import annotations

from typing import Annotated

from gateway.query import Query, QueryValue, repeated
from gateway.run_id import run_id_value

DEFAULT_PAGE = 50
MAX_PAGE = 200

BODY_INVALID = {400: "The body is not what this door takes (`invalid_json`, `invalid_body`)."}
NOT_ALLOWED = {403: "The rules do not let this person do it (`not_allowed`)."}
RESPONSE_INVALID = {
    422: "The response does not fit the request, or its output breaks the contract (`response_invalid`)."
}
UNDECIDABLE = {
    404: "There is no such run or request (`run_unknown`, `request_unknown`).",
    409: "The request is resolved (`request_resolved`) or its time is over (`request_expired`), the run is over"
    " (`run_finished`), the plan, the proposal or the output has changed (`stale_plan_version`, `stale_proposal`,"
    " `stale_output`), several requests are open and none is named (`request_ambiguous`), there is no"
    " vote to withdraw (`not_voted`), or no more are taken (`too_many_votes`).",
}


class WaitingQuery(Query):
    """Which of what waits for people to list."""

    run_id: Annotated[str | None, run_id_value("Only those of this run: all of them, without a cursor.")] = (
        None
    )
    thread_id: Annotated[str | None, QueryValue("Only those of this thread.")] = None
    client_id: Annotated[str | None, QueryValue("Only those of runs whose metadata.clientId is this.")] = None
    role: Annotated[
        tuple[str, ...],
        repeated("Only what somebody with this role or name may do; give it again for more roles."),
    ] = ()
