"""The append of an attempt's result, and what it makes ready."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from eventstore.errors import StoreUnavailable, ValueRefused, VersionConflict
from eventstore.handler import Outcome
from executor.attempt import ClarificationAsked, Failed, Produced, command_for
from executor.attempt_log import AttemptLog
from executor.claim import Claim, claim_in
from executor.context import WorkerContext
from executor.lookahead import FinalOutput, look_ahead
from runs.commands import Command
from runs.decide import Decided
from runs.errors import RunFinished, StaleAttempt
from runs.state import RunState

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Reported = Produced | Failed | ClarificationAsked
"""The results that are appended."""


async def report(
    context: WorkerContext, claim: Claim, result: Reported, attempt_log: AttemptLog
) -> Claim | None:
    """Append the result; the claim of the node that the same append has started, if it has."""
    try:
        return claim_in(await _append(context, claim, result, attempt_log))
    except ValueRefused as refused:
        failure = Failed("output_not_json", f"the output cannot be kept: {refused.reason}")
        return claim_in(await _append(context, claim, failure, attempt_log))
    except (StaleAttempt, RunFinished) as refused:
        _log.info("result_refused", status="dropped", reason=refused.message, **claim.names)
        return None


async def _append(context: WorkerContext, claim: Claim, result: Reported, attempt_log: AttemptLog) -> Outcome:
    """One append: the result, and what it makes ready."""
    final = FinalOutput(context.checker)
    jitter = context.jitter()

    async def build(state: RunState) -> Sequence[Command] | Decided:
        now = context.clock()
        commands = [
            *attempt_log.closing_line(now),
            command_for(result, claim.node_id, claim.attempt, now, jitter),
        ]
        if not isinstance(result, Produced):
            return commands
        return await look_ahead(state, commands, final, context.continues_with, now)

    try:
        return await context.writer.transact(claim.state.run_id, build, lease=context.lease)
    except (StoreUnavailable, VersionConflict) as error:
        _log.warning("report_delayed", reason=str(error), **claim.names)
    # An output that took an hour must survive a minute without the database.
    patiently = AsyncRetrying(
        retry=retry_if_exception_type((StoreUnavailable, VersionConflict)),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        stop=stop_after_delay(context.config.report_seconds),
        reraise=True,
    )
    return await patiently(context.writer.transact, claim.state.run_id, build, lease=context.lease)
