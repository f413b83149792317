"""The read models' rows of a run, from its log alone: `project` for each commit, and what `flex_append` makes of that.

Pure. The rows of a commit are projected once more from the same events, so commits must be told apart: events of one
run with the same transaction are one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore.projection import Sections, project
from runs.event import Event, JsonObject
from runs.evolve import fold_all
from runs.outstanding import outstanding
from runs.state import new_run


def replay(run_id: str, commits: Iterable[Sequence[Event]]) -> Sections:
    """Whole rows of one run in the sections `starts`, `planned`, `requests` and `work`."""
    rows = _RunRows()
    state = new_run(run_id)
    work_before = outstanding(state)
    for events in commits:
        after = fold_all(state, events)
        work_after = outstanding(after)
        rows.apply(project(state, after, events, work_before, work_after))
        state, work_before = after, work_after
    return rows.sections()


class _RunRows:
    """The effect of `flex_append` on the rows of one run, in memory."""

    def __init__(self) -> None:
        self.run: JsonObject = {}
        self.nodes: dict[str, JsonObject] = {}
        self.requests: dict[str, JsonObject] = {}
        self.work: dict[tuple[str, str], JsonObject] = {}

    def apply(self, changes: Sections) -> None:
        for row in changes.get("starts", ()):
            self.run = dict(row)
        for row in changes.get("advances", ()):
            self.run |= {"output": None, "error": None, "completed_at": None, **row}
            del self.run["expected"]
        if "replanned" in changes:
            self.nodes.clear()
        for row in changes.get("planned", ()):
            self.nodes[row["node_id"]] = dict(row)
        for row in changes.get("nodes", ()):
            node = self.nodes[row["node_id"]]
            node |= {"context": node["context"], **row}
        self.requests |= {row["id"]: row for row in changes.get("requests", ())}
        for row in changes.get("request_changes", ()):
            self.requests[row["id"]] |= row
        for row in changes.get("gone", ()):
            del self.work[row["kind"], row["ref"]]
        self.work |= {(row["kind"], row["ref"]): row for row in changes.get("work", ())}

    def sections(self) -> Sections:
        return {
            "starts": [self.run],
            "planned": list(self.nodes.values()),
            "requests": list(self.requests.values()),
            "work": list(self.work.values()),
        }
