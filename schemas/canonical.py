"""One text for each JSON value in any order of its keys, and the hash that names it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:
    """`value` as UTF-8 without spaces, the keys of its objects sorted."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of the canonical text."""
    return sha256(canonical_json(value)).hexdigest()
