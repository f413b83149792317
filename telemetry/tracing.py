"""Spans of this process, and W3C Trace Context between processes. No library: `flexrun.tracing` exports the spans.

The spans of a run have names of their own (see `runs.trace`), so that any process can say which one is the parent.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

SpanKind = Literal["internal", "server", "client", "consumer"]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class SpanContext:
    """Which span of which trace, in hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context writes it."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self) -> SpanContext:
        """The context of a new span below this one."""
        return SpanContext(self.trace_id, new_span_id(), self.sampled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span that has ended; times are Unix seconds, `error` is why it failed."""

    name: str
    context: SpanContext
    parent_id: str | None
    began_at: float
    ended_at: float
    kind: SpanKind = "internal"
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict[str, "str | int"])
    links: tuple[SpanContext, ...] = ()
    error: str | None = None


current: ContextVar[SpanContext | None] = ContextVar("flexrun_span", default=None)
"""The span in which this task works: an HTTP request, or an attempt at a node."""

_sinks: list[Callable[[Span], None]] = []


def record_to(sink: Callable[[Span], None] | None) -> None:
    """Give spans to `sink` from now on; None: to nothing."""
    _sinks[:] = [] if sink is None else [sink]


Sampler = Callable[[str, SpanContext | None], bool]
"""Whether spans of a trace are sent: by its id, and by the span of the caller, where there is one."""


def follow_parent(_trace_id: str, parent: SpanContext | None) -> bool:
    """All, but for those whose caller says that it does not sample."""
    return parent is None or parent.sampled


_samplers: list[Sampler] = [follow_parent]


def sample_by(sampler: Sampler) -> None:
    """Decide by `sampler` from now on."""
    _samplers[:] = [sampler]


def samples(trace_id: str, parent: SpanContext | None = None) -> bool:
    """Whether spans of this trace are sent, as far as this process decides it."""
    return _samplers[0](trace_id, parent)


def is_on() -> bool:
    """Whether spans are wanted."""
    return bool(_sinks)


def record(span: Span) -> None:
    """Pass on a span that has ended, where spans are wanted and its trace is sampled."""
    if span.context.sampled:
        for sink in _sinks:
            sink(span)


def parse_traceparent(text: str | None) -> SpanContext | None:
    """The context that a header names; None for none, and for one that is not valid."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None or (text or "").startswith("ff-"):
        return None
    trace_id, span_id, flags = found.groups()
    if not (trace_id.strip("0") and span_id.strip("0")):
        return None
    return SpanContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def new_span_id() -> str:
    return secrets.token_hex(8)


def new_trace(parent: SpanContext | None) -> SpanContext:
    """The context of a new span below `parent`, or of the first one of a new trace."""
    trace_id = parent.trace_id if parent is not None else secrets.token_hex(16)
    return SpanContext(trace_id, new_span_id(), samples(trace_id, parent))


@contextmanager
def received(
    name: str, traceparent: str | None, attributes: Mapping[str, str | int | float | bool]
) -> Generator[None]:
    """Work on a message in a span of its own, below that of its sender, where it has named one."""
    if not is_on():
        yield
        return
    parent, began_at, error = parse_traceparent(traceparent), time.time(), None
    context = new_trace(parent)
    token = current.set(context)
    try:
        yield
    except BaseException as failure:
        error = type(failure).__name__
        raise
    finally:
        current.reset(token)
        record(
            Span(
                name=name,
                context=context,
                parent_id=None if parent is None else parent.span_id,
                began_at=began_at,
                ended_at=time.time(),
                kind="consumer",
                attributes=attributes,
                error=error,
            )
        )


@contextmanager
def outgoing(
    name: str, parent: SpanContext | None, attributes: Mapping[str, str | int | float | bool]
) -> Generator[SpanContext | None]:
    """A call to another system. The context is what it is to be sent: that of the call's span, or of its parent."""
    if parent is None or not is_on():
        yield parent
        return
    context, began_at, error = parent.child(), time.time(), None
    try:
        yield context
    except BaseException as failure:
        error = type(failure).__name__
        raise
    finally:
        record(
            Span(
                name=name,
                context=context,
                parent_id=parent.span_id,
                began_at=began_at,
                ended_at=time.time(),
                kind="client",
                attributes=attributes,
                error=error,
            )
        )
