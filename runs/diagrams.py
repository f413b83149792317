"""The diagrams in `docs/state-machines.md`, made from the tables: `python -m runs.diagrams [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runs.transitions import CANCELLED, COMPLETED, FAILED, NODE, PENDING, RUN, TERMINAL

TARGET = Path("docs/state-machines.md")

HEAD = """# The life of a run and of a node

Generated from `runs/transitions.py` by `python -m runs.diagrams`; do not edit. Steps that leave the status as it is are
left out. A step that is not here is illegal and raises `IllegalTransition`.
"""


def mermaid(table: Mapping[Any, Mapping[Any, str]], first: str, last: frozenset[Any]) -> str:
    """A Mermaid state diagram; all triggers between the same two states share one arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for source, steps in table.items():
        for trigger, target in steps.items():
            if source != target:
                arrows.setdefault((source, target), []).append(trigger.partition(":")[0])
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in arrows.items()]
    lines += [f"    {status} --> [*]" for status in sorted(last)]
    return "\n".join([*lines, "```"])


def document() -> str:
    """The whole page."""
    run = mermaid(RUN, PENDING, TERMINAL)
    node = mermaid(NODE, PENDING, frozenset({COMPLETED, FAILED, CANCELLED}))
    return f"{HEAD}\n## Run\n\n{run}\n\n## Node\n\n{node}\n"


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date (exit 1 when not)."""
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(document())
        return 0
    if TARGET.exists() and TARGET.read_text() == document():
        return 0
    sys.stderr.write(f"{TARGET} is out of date: python -m runs.diagrams\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
