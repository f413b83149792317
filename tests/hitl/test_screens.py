"""The operator screens that were there before: what they read and what they send, over HTTP."""

from typing import Any

import pytest

from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.people import OUTPUT


@pytest.mark.parametrize(
    "keys",
    [
        {"policies": {"planner": {"directives": {"requiresHitlApproval": True}}}},
        {"policies": {"requiresHitlApproval": True}},
        {"constraints": {"requiresHitlApproval": True}},
    ],
)
async def test_an_approval_is_asked_for_wherever_the_dialog_puts_it(
    gateway: RunningGateway, keys: dict[str, Any]
) -> None:
    answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, **keys})
    assert answer.status == 202, body
    run = ByHand(gateway.handler, body["runId"])
    await run.planned()
    await run.work()
    outcome = await run.deliver(OUTPUT)
    assert outcome.state.status == "awaiting_hitl"
