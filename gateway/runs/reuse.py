"""What a fork took over of the run that it was made from."""

from __future__ import annotations

from gateway.response import Response
from schemas.base import NodeId, RunId


class ReusedNode(Response):
    """A node whose output was taken over; `attempt` is the one that made it."""

    node_id: NodeId
    attempt: int


class NotReusedNode(Response):
    """A node of the original whose output was not taken over, and why."""

    node_id: NodeId
    why: str


class ForkReuse(Response):
    """The nodes of run `run_id` by what became of their outputs."""

    run_id: RunId
    reused: list[ReusedNode]
    not_reused: list[NotReusedNode]
