"""The first frame of a resumed stream, from which a client that has seen nothing can draw the whole run."""

from __future__ import annotations

from dataclasses import replace

from eventstore.queries.runs import plan_in_force
from eventstore.store import EventStore
from gateway.streams.wait_detector import WaitDetector
from runs.event import Event, JsonObject
from runs.evolve import fold_all
from runs.frames import frame
from runs.state import RunState, new_run

_QUIET = frozenset({"log", "policy_triggered", "hitl_expiring"})
_PAGE_EVENTS = 1_000


async def state_at(store: EventStore, state: RunState, seq: int) -> RunState:
    """The run as it was after event `seq`, which is not beyond `state`."""
    if seq >= state.seq:
        return state
    earlier = new_run(state.run_id)
    while earlier.seq < seq:
        page = await store.read(state.run_id, after=earlier.seq, until=seq, limit=_PAGE_EVENTS)
        earlier = fold_all(earlier, page)
    return earlier


async def resume_snapshot_frame(store: EventStore, state: RunState) -> JsonObject | None:
    """The plan in force once more, as `plan_generated` with `metadata.resumed` and how far each node is.

    It has no `id:` line and no `id` in its JSON, so that it moves no client back, wherever that one reads its place.
    None where the run has no plan yet.
    """
    event = await plan_in_force(store, state.run_id, state.seq)
    if event is None:
        return None
    shown = frame(replace(event, type="plan_generated", payload=_payload(state, event)))
    del shown["id"]
    return shown


def _payload(state: RunState, event: Event) -> JsonObject:
    nodes: list[JsonObject] = [
        {**shown, "status": node.status, "attempt": node.attempt}
        for shown in event.payload["nodes"]
        if (node := state.nodes.get(shown["id"])) is not None
    ]
    metadata: JsonObject = {
        **state.plan_metadata,
        "resumed": True,
        "runStatus": state.status,
        "lastEventId": str(state.seq),
        "pendingRequestIds": [request.id for request in state.open_requests],
    }
    return {
        "version": event.payload["version"],
        "nodes": nodes,
        "edges": event.payload["edges"],
        "metadata": metadata,
    }


class PatientWaitDetector(WaitDetector):
    """For a reader who came because the run waits: ends the stream at the next wait, not at the one that was found.

    A vote that is not the last one, or a line in the log, is no new wait.
    """

    def __init__(self, store: EventStore, found: RunState) -> None:
        super().__init__(store, found)
        self._found_seq = found.seq

    async def waits_after(self, event: Event) -> bool:
        waits = await super().waits_after(event)
        return waits and event.seq > self._found_seq and event.type not in _QUIET
