"""The settings of a sandbox. The defaults are the measured ones; tests set others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How many child processes there are, what a call may spend in one, and how long one may stay silent."""

    processes: int = 1
    """Children that take calls."""
    spares: int = 1
    """Children kept warm for when one dies; without, the next call waits until another has started."""
    in_flight: int = 16
    """Calls in the pipe of one child: enough to keep it busy, few to send again when it dies."""
    deadline_seconds: float = 1.0
    """CPU time of a call that does not name its own: a machine under load fails nobody's call."""
    memory_bytes: int = 1024 * 1024 * 1024
    """Address space of a child."""
    stall_seconds: float = 3.0
    """Wall time without an answer, beyond the call's deadline, after which a child counts as hung."""
    startup_seconds: float = 20.0
    preload: tuple[str, ...] = ()
    """Modules that a child imports as it starts; others are imported by the first call that needs them."""
