"""What schemathesis has to be told: how the body of a media type is sent that it does not know."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/gzip")
def gzip_body(_context: Any, value: Any) -> bytes:
    """As it was made up: what is no gzip at all is the most that it can be here."""
    return value if isinstance(value, bytes) else str(value).encode()
