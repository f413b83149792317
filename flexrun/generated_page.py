"""Pages of docs/ that are written from the code."""

from __future__ import annotations

import sys
from pathlib import Path


def write_or_check(target: Path, text: str, module: str) -> int:
    """Write a page, or with `--check` among the arguments say whether it is up to date: the exit status, 1 when not."""
    if "--check" not in sys.argv[1:]:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{target} is out of date: python -m {module}\n")
    return 1
