"""What the log says of an attempt whose lease has expired: its worker is lost, or a service did not call back."""

from __future__ import annotations

import random
from datetime import datetime

from eventstore.leases import CALLBACK, WorkRow
from runs.commands import Command, FailNode, Loss, RejectPlan
from schemas.vocabulary import LossKind

_ENDS = {
    "died": "died",
    "stalled": "stood still in this work and was ended",
    "bystander": "stood still in other work and was ended",
    "broke": "broke off in it",
    "relieved": "was relieved of it by an operator",
}
NO_LOSS = frozenset({"bystander", "broke", "relieved"})
"""Ends that the work is not charged with: other work ended the worker, it lives and has counted a failure, or an
operator has ended its lease."""

HOW: dict[str, LossKind] = {"died": "died", "stalled": "stalled"}


def expired_attempt(row: WorkRow, now: datetime) -> Command:
    """The command for started work whose lease has expired."""
    return not_called_back(row, now) if waits_for_callback(row) else lost_attempt(row, now)


def waits_for_callback(row: WorkRow) -> bool:
    """Whether no worker has this work, but a service that calls back."""
    return (row.worker or "").startswith(CALLBACK)


def not_called_back(row: WorkRow, now: datetime) -> Command:
    """No worker is lost: a service took the work over and did not call back in time."""
    capability_id = (row.worker or "").removeprefix(CALLBACK)
    return FailNode(
        now=now,
        node_id=row.ref,
        attempt=row.attempt,
        error_code="callback_timeout",
        message=f"{capability_id} has not called back in time",
        outcome_unknown=True,
        jitter=random.random(),  # noqa: S311 - spreads retries
    )


def lost_attempt(row: WorkRow, now: datetime) -> Command:
    charged = row.worker and row.lost_as not in NO_LOSS
    loss = None if not charged else Loss(row.worker or "", HOW.get(row.lost_as or "", "unheard"))
    message = f"the worker {row.worker} {_ENDS.get(row.lost_as or '', 'was not heard of any more')}"
    jitter = random.random()  # noqa: S311 - spreads retries
    if row.kind == "plan":
        diagnostic = {"code": "planner_lost", "message": message, "path": ""}
        return RejectPlan(
            now=now,
            attempt=row.attempt,
            diagnostics=[diagnostic],
            retryable=True,
            lost=True,
            loss=loss,
            jitter=jitter,
        )
    return FailNode(
        now=now,
        node_id=row.ref,
        attempt=row.attempt,
        error_code="worker_lost",
        message=message,
        lost=True,
        loss=loss,
        jitter=jitter,
    )
