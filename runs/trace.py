"""Which spans a run has: names that every process can compute, from the run and what began it.

The trace is that of the request that started the run, where that had one (`trace` in the detail of `start`); else
the run is the trace. The run's span and those of its attempts are named after the run, the node and the number of the
attempt, so that any process continues them after a restart, and knows the attempt before.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

from runs.event import JsonObject
from runs.state import RunState
from telemetry.tracing import SpanContext, parse_traceparent, samples


def run_span(state: RunState) -> SpanContext:
    """The span of the run."""
    trace = state.trace or {}
    trace_id = str(trace.get("traceId") or state.run_id.replace("-", ""))
    sampled = trace["sampled"] is not False if "sampled" in trace else samples(trace_id)
    return SpanContext(trace_id, _span_id(state.run_id), sampled)


def attempt_span(state: RunState, node_id: str, attempt: int) -> SpanContext:
    """The span of an attempt at a node."""
    run = run_span(state)
    return SpanContext(run.trace_id, _span_id(attempt_name(state.run_id, node_id, attempt)), run.sampled)


def attempt_name(run_id: str, node_id: str, attempt: int) -> str:
    """`run/node/attempt`: what services get as the idempotency key."""
    return f"{run_id}/{quote(node_id, safe='')}/{attempt}"


def parent_of_run(state: RunState) -> str | None:
    """The span of the request that started it."""
    found = (state.trace or {}).get("parent")
    return found if isinstance(found, str) else None


def origin_span(state: RunState) -> SpanContext | None:
    """The span of the run that a fork or retry was made from."""
    linked = parse_traceparent(str((state.trace or {}).get("origin") or ""))
    origin_id = (state.origin or {}).get("runId")
    if linked is not None or not isinstance(origin_id, str):
        return linked
    return SpanContext(origin_id.replace("-", ""), _span_id(origin_id))


def started_in(context: SpanContext | None) -> JsonObject | None:
    """What `start` keeps of the span in which a run is started."""
    if context is None:
        return None
    return {"traceId": context.trace_id, "parent": context.span_id, "sampled": context.sampled}


def _span_id(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:16]
