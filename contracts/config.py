"""What can be set about checking contracts. The defaults are the measured ones; tests set others."""

from dataclasses import dataclass

MAX_DOCUMENT_DEPTH = 254
"""What orjson writes; deeper documents cannot be stored either. The checker's stack holds many times that."""


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What one checker process may spend, and what it keeps."""

    deadline_seconds: float = 0.5
    """CPU time for one request: a machine under load makes nobody's contract invalid."""
    memory_bytes: int = 1024 * 1024 * 1024
    """Address space of the process."""
    max_errors: int = 100


@dataclass(frozen=True, slots=True)
class CheckerConfig:
    """How many checkers there are, and how long they may stay silent."""

    checker: CheckLimits = CheckLimits()
    checkers: int = 1
    spares: int = 1
    """Checkers kept warm for when one dies; without, the next question waits until another has started."""
    in_flight: int = 16
    """Requests that one checker has in its pipe: enough to keep it busy, few to send again when it dies."""
    stall_seconds: float = 3.0
    """Wall time without an answer, beyond the deadline, after which a checker counts as hung: stopped, or starved."""
    startup_seconds: float = 20.0
    max_document_bytes: int = 4 * 1024 * 1024
    max_document_values: int = 200_000
    remembered_refusals: int = 256
    remembered_passes: int = 4_096
