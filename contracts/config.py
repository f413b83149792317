"""What can be set about checking contracts. The defaults are the measured ones; tests set others."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from schemas.config import Count, Period

MAX_DOCUMENT_DEPTH = 254
"""What orjson writes; deeper documents cannot be stored either. The checker's stack holds many times that."""


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What one checker process may spend, and what it keeps."""

    deadline_seconds: Period = 0.5
    """CPU time for one request: a loaded machine does not make a contract invalid."""
    memory_bytes: Count = 1024 * 1024 * 1024
    """Address space of the process."""
    max_errors: Count = 100


@dataclass(frozen=True, slots=True)
class CheckerConfig:
    """How many checkers there are, and how long they may stay silent."""

    checker: CheckLimits = CheckLimits()
    checkers: Count = 1
    spares: Annotated[int, Field(ge=0)] = 1
    """Checkers kept warm for when one dies; without, the next question waits until another has started."""
    in_flight: Count = 16
    """Requests that one checker has in its pipe: enough to keep it busy, few to send again when it dies."""
    stall_seconds: Period = 3.0
    """Wall time without an answer, beyond the deadline, after which a checker counts as hung: stopped, or starved."""
    startup_seconds: Period = 20.0
    max_document_bytes: Count = 4 * 1024 * 1024
    max_document_values: Count = 200_000
    remembered_refusals: Count = 256
    remembered_passes: Count = 4_096
