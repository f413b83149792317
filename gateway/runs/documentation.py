"""What OpenAPI says of more than one endpoint of runs."""

from __future__ import annotations

from gateway.query import Parameter, yes_or_no

KEY = Parameter("Idempotency-Key", "header", "The same key (of the same caller) gives the same run.")
CORRELATION_ID = Parameter(
    "X-Correlation-Id", "header", "Found again in every event and log line of the run."
)

RUN_UNKNOWN = {
    404: "There is no such run (`run_unknown`).",
    410: "The run was removed after its time (`run_pruned`); the text says when, and where it was exported to. Or its"
    " data was erased (`run_erased`).",
}
RUN_REFUSED = {
    400: "The body is no JSON (`invalid_json`), no TaskEnvelope, or its contract cannot be compiled (`invalid_body`)."
    " Every place that is wrong is in `errors`, and nothing is stored.",
    422: "The Idempotency-Key has started a run with another envelope (`idempotency_key_reused`).",
    503: "Too much work is waiting (`backlog_full`, with X-Backlog-Pending and X-Backlog-Limit), or the database is"
    " away (`store_unavailable`). Retry-After says when to try again.",
}
FRAMES = (
    "Frames: `event:` is the event's type, `data:` one line of JSON, a FlexEvent, `id:` its number in the run (1, 2,"
    " 3 …). A comment comes every 15 s. `complete` is the last frame of a run; any other end of a stream means: come"
    " back with Last-Event-ID."
)

DELTAS = yes_or_no(
    "Also send what running attempts have made so far: frames `node_delta` (NodeDelta) without an `id`, which are no"
    " part of the log."
)
