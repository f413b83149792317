"""What of an answer is payload of a run: marks for the fields of models, read by `schemas.withheld`.

    message: Annotated[str, PAYLOAD]

Without a mark a text, a number and a model are shown, and a field that takes any JSON is withheld, since nobody knows
what is in it.
"""

from __future__ import annotations

from enum import Enum


class PayloadMark(Enum):
    """How a field is shown to those who may not see payload."""

    PAYLOAD = "payload"
    """It is payload, or may tell of it: a marker stands in its place."""

    PAYLOAD_AFTER_COLON = "payload after colon"
    """A text of ours, which quotes payload after its first `: `; what stands before is shown."""

    SHOWN = "shown"
    """It takes any JSON, and is no payload."""


PAYLOAD = PayloadMark.PAYLOAD
PAYLOAD_AFTER_COLON = PayloadMark.PAYLOAD_AFTER_COLON
SHOWN = PayloadMark.SHOWN
