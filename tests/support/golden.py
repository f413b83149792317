"""Documents as files, with placeholders for what varies from run to run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

GOLDEN = Path(__file__).parents[1] / "golden"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def settled(document: Any) -> Any:
    """The document with `<id 1>`, `<id 2>` … for ids in the order in which they come, and `<time>` for times."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"<id {len(names) + 1}>")

    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    return orjson.loads(_ID.sub(name, _TIME.sub("<time>", text)))


def golden(name: str) -> Any:
    """The document in `tests/golden/{name}.json`."""
    return orjson.loads((GOLDEN / f"{name}.json").read_bytes())
