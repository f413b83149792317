"""Two functions for a worker: `python -m flexrun_sdk tests.support.held.worker`.

A worker in another language registers the same ids and notes its calls in the same files; see steps.py.
"""

from __future__ import annotations

from flexrun_sdk import capability
from tests.support.held.facets import Text
from tests.support.held.steps import Steps


@capability(id="held.worker", facets_out="draft", heartbeat_seconds=2)
def write_draft(account: Text) -> Text:
    """It may run again."""
    return Text.model_validate(Steps.from_environment().take("worker", account.text))


@capability(id="held.worker.once", facets_out="draft_once", heartbeat_seconds=2, idempotent=False)
def write_draft_once(ticket: Text) -> Text:
    """It must not run twice."""
    return Text.model_validate(Steps.from_environment().take("worker", ticket.text))
