"""What time it is: read here, and handed to the domain inside commands."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The clock that commands are stamped with."""
    return datetime.now(UTC)
