"""What JSON can hold, for the type checker."""

from typing import Any

Json = Any
"""What JSON can hold: dict, list, str, int, float, bool or None."""

JsonObject = dict[str, Any]
