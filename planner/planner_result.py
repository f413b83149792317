"""Asking a planner for a plan, and turning its answer or its failure into a command."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from planner.checking import plan_faults
from planner.planner import (
    CheckedPlan,
    JsonObject,
    PlanContext,
    PlanFaulty,
    Planner,
    PlanRefused,
    diagnostic,
)
from runs.commands import AcceptPlan, Command, RejectPlan
from runs.fork_reuse import as_before
from runs.replans import ground_of
from runs.state import RunState
from runs.trace import run_span
from schemas.redaction import redact
from telemetry import tracing
from telemetry.catalogue import PLANNING_SECONDS
from telemetry.tracing import SpanContext

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("planner")


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that has been checked. `planning`: see CheckedPlan."""

    plan: JsonObject
    planning: JsonObject | None = None

    def command(self, attempt: int, now: datetime, jitter: float) -> Command:
        return AcceptPlan(now=now, attempt=attempt, plan=self.plan, planning=self.planning)


@dataclass(frozen=True, slots=True)
class PlanningFailed:
    """No plan. `ours` says that the planner is at fault and not the envelope, so that another attempt may succeed;
    `may_mend` that a capability is missing which may be registered in a moment. `planning`: see CheckedPlan."""

    diagnostics: list[JsonObject]
    ours: bool = False
    may_mend: bool = False
    planning: JsonObject | None = None

    def command(self, attempt: int, now: datetime, jitter: float) -> Command:
        return RejectPlan(
            now=now,
            attempt=attempt,
            diagnostics=self.diagnostics,
            retryable=self.ours,
            jitter=jitter,
            planning=self.planning,
        )


PlannerResult = Planned | PlanningFailed


@dataclass(frozen=True, slots=True)
class Registered:
    """The capabilities that a plan may name, in wire form, and the facets beside those that are shipped.

    `disabled` ones are for what is said in a refusal.
    """

    capabilities: Sequence[JsonObject]
    facets: Mapping[str, JsonObject]
    disabled: Sequence[JsonObject] = ()


_REJECTED = ("capabilities", "operator", "words")


def context_of(
    state: RunState,
    attempt: int,
    facets: Mapping[str, JsonObject],
    disabled: Sequence[JsonObject] = (),
) -> PlanContext:
    """What the run says beside its envelope."""
    wish = state.replan
    about_the_work = wish is None or wish.cause != "capability_gone"
    return PlanContext(
        run_id=state.run_id,
        attempt=attempt,
        feedback=state.replan_reason if about_the_work else None,
        facets=facets,
        disabled=disabled,
        forbidden=state.house.forbidden_capabilities,
        max_nodes=state.house.limits.nodes,
        rejected=[
            {key: value for key, value in each.items() if key in _REJECTED} for each in state.rejected_plans
        ],
        tried=(*state.not_again, *(wish.absent if wish is not None else ())),
        ground=ground_of(as_before(state)),
    )


async def ask_instantly(
    planner: Planner, state: RunState, registered: Registered, attempt: int
) -> PlannerResult:
    """The result of a planner that answers at once, or within a deadline of its own."""
    asking = _begin(planner, state)
    return _counted(asking, await _ask_instantly(planner, state, registered, attempt))


async def ask(
    planner: Planner,
    state: RunState,
    registered: Registered,
    attempt: int,
    timeout_seconds: float,
) -> PlannerResult:
    """The result of a planner that may take up to `timeout_seconds`."""
    asking = _begin(planner, state)
    return _counted(asking, await _ask(planner, state, registered, attempt, timeout_seconds))


@dataclass(frozen=True, slots=True)
class _Asking:
    """A planner that is asked about a run; `span` where spans are wanted."""

    planner: Planner
    state: RunState
    began: float
    span: SpanContext | None


def _begin(planner: Planner, state: RunState) -> _Asking:
    span = run_span(state).child() if tracing.is_on() else None
    tracing.current.set(span)
    return _Asking(planner, state, time.perf_counter(), span)


def _counted(asking: _Asking, result: PlannerResult) -> PlannerResult:
    """Count how long it took, and record it as a span of the run."""
    outcome, seconds = (
        "planned" if isinstance(result, Planned) else "refused",
        time.perf_counter() - asking.began,
    )
    PLANNING_SECONDS.observe(asking.planner.name, outcome, number=seconds)
    if asking.span is not None:
        now = time.time()
        tracing.record(
            tracing.Span(
                name="plan",
                context=asking.span,
                parent_id=run_span(asking.state).span_id,
                began_at=now - seconds,
                ended_at=now,
                attributes={"flexrun.run_id": asking.state.run_id, "flexrun.planner": asking.planner.name},
                error=None if outcome == "planned" else outcome,
            )
        )
    return result


async def _ask_instantly(
    planner: Planner, state: RunState, registered: Registered, attempt: int
) -> PlannerResult:
    try:
        context = context_of(state, attempt, registered.facets, registered.disabled)
        plan = planner.plan(state.envelope, registered.capabilities, context)
        made = await plan if inspect.isawaitable(plan) else plan
        return _checked(made, registered.capabilities, state, context)
    except PlanRefused as refused:
        return _refused(refused)
    # Planners are plugged in: an error in one must neither stop the worker nor be retried without end.
    except Exception as error:  # noqa: BLE001 - see above
        return _trouble(planner, state, error)


async def _ask(
    planner: Planner,
    state: RunState,
    registered: Registered,
    attempt: int,
    timeout_seconds: float,
) -> PlannerResult:
    try:
        async with asyncio.timeout(timeout_seconds):
            context = context_of(state, attempt, registered.facets, registered.disabled)
            plan = planner.plan(state.envelope, registered.capabilities, context)
            made = await plan if inspect.isawaitable(plan) else plan
            return _checked(made, registered.capabilities, state, context)
    except PlanRefused as refused:
        return _refused(refused)
    except TimeoutError:
        message = f"Planner {planner.name} was not done within {timeout_seconds:g} s."
        return PlanningFailed([diagnostic("planner_timeout", message)], ours=True)
    # See ask_instantly.
    except Exception as error:  # noqa: BLE001 - see above
        return _trouble(planner, state, error)


def _refused(refused: PlanRefused) -> PlanningFailed:
    ours = isinstance(refused, PlanFaulty)
    mend = refused.retryable and not ours
    return PlanningFailed(refused.diagnostics, ours=ours, may_mend=mend, planning=refused.planning)


def _checked(
    plan: JsonObject | CheckedPlan,
    capabilities: Sequence[JsonObject],
    state: RunState,
    context: PlanContext,
) -> PlannerResult:
    if isinstance(plan, CheckedPlan):
        return _allowed(plan.plan, state, plan.planning)
    faults = plan_faults(plan, capabilities, context.done)
    return PlanningFailed(faults, ours=True) if faults else _allowed(plan, state)


def _allowed(plan: JsonObject, state: RunState, planning: JsonObject | None = None) -> PlannerResult:
    """The plan, unless the house policy of the run forbids it; another attempt would not help then."""
    forbidden = [each.to_wire() for each in state.house.plan_faults(plan)]
    return PlanningFailed(forbidden, planning=planning) if forbidden else Planned(plan, planning)


def _trouble(planner: Planner, state: RunState, error: Exception) -> PlanningFailed:
    _log.error("planner_error", run_id=state.run_id, planner=planner.name, exc_info=error)
    message = redact(f"Planner {planner.name} failed: {type(error).__name__}: {error}"[:2_000])
    return PlanningFailed([diagnostic("planner_error", message)], ours=True)
