"""The settings of a sandbox. The defaults are the measured ones; tests set others."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

Period = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How many child processes there are, what a call may spend in one, and how long one may stay silent."""

    processes: Count = 1
    """Children that take calls."""
    spares: Annotated[int, Field(ge=0)] = 1
    """Children kept warm for when one dies; without, the next call waits until another has started."""
    spare_after_seconds: Annotated[float, Field(ge=0)] = 0
    """When the spares start, if none dies before: a start is for the children that take calls."""
    in_flight: Count = 16
    """Calls in the pipe of one child: enough to keep it busy, few to send again when it dies."""
    deadline_seconds: Period = 1.0
    """CPU time of a call that does not name its own: a machine under load fails nobody's call."""
    memory_bytes: Count = 1024 * 1024 * 1024
    """Address space of a child."""
    stall_seconds: Period = 3.0
    """Wall time without an answer, beyond the call's deadline, after which a child counts as hung."""
    startup_seconds: Period = 20.0
    preload: tuple[str, ...] = ()
    """Modules that a child imports as it starts; others are imported by the first call that needs them."""
