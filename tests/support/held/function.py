"""Two Python functions, for an executor: `--load tests.support.held.function`."""

from __future__ import annotations

from flexrun_sdk import capability
from tests.support.held.facets import Text
from tests.support.held.steps import Steps


@capability(id="held.function", facets_out="sorted_ticket")
def sort_ticket(ticket: Text) -> Text:
    """It may run again."""
    return Text.model_validate(Steps.from_environment().take("function", ticket.text))


@capability(id="held.function.once", facets_out="sorted_once", idempotent=False)
def sort_once(ticket: Text) -> Text:
    """It must not run twice."""
    return Text.model_validate(Steps.from_environment().take("function", ticket.text))
