"""Which traces are sent: `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, as OpenTelemetry defines them.

A trace is sampled or not by its id, so that all processes with the same variables decide alike; what is decided for a
run is kept in its log, so that a restart with other variables does not cut it.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from telemetry.tracing import Sampler, SpanContext, follow_parent

_BITS = 64
_PARENT_BASED = "parentbased_"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("flexrun")


def sampler_of(environment: Mapping[str, str]) -> Sampler:
    """The sampler that these variables name; one that is not known is logged, and is the default then."""
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    roots: dict[str, Sampler] = {
        "always_on": lambda _trace_id, _parent: True,
        "always_off": lambda _trace_id, _parent: False,
        "traceidratio": _ratio(environment.get("OTEL_TRACES_SAMPLER_ARG", "")),
    }
    root = roots.get(name.removeprefix(_PARENT_BASED))
    if root is None:
        _log.warning(
            "traces_sampler_unknown", sampler=name, used="parentbased_always_on", known=sorted(roots)
        )
        return follow_parent
    if not name.startswith(_PARENT_BASED):
        return root

    def based_on_parent(trace_id: str, parent: SpanContext | None) -> bool:
        return root(trace_id, None) if parent is None else parent.sampled

    return based_on_parent


def _ratio(text: str) -> Sampler:
    try:
        part = float(text or "1")
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        _log.warning("traces_sampler_ratio_wrong", argument=text, used=1.0)
        part = 1.0
    bound = round(part * (1 << _BITS))
    return lambda trace_id, _parent: int(trace_id, 16) & ((1 << _BITS) - 1) < bound
