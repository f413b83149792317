"""A run that a test advances by hand, through the command handler, instead of planner and executor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eventstore.handler import Outcome, RunHandler
from runs import commands as c
from tests.support.given import ANN, node, plan


@dataclass
class ByHand:
    """Commands for one run, at the time of the real clock."""

    handler: RunHandler
    run_id: str

    async def do(self, command_type: type[c.Command], **fields: Any) -> Outcome:
        """Any command."""
        return await self.handler.execute(self.run_id, command_type(now=datetime.now(UTC), **fields))

    async def planned(self, *nodes: dict[str, Any], **more: Any) -> None:
        """A plan of these nodes, or of one node `a`."""
        outcome = await self.do(c.RequestPlan, attempt=1, planner="test", capability_count=1)
        attempt = outcome.state.plan_attempt
        await self.do(c.AcceptPlan, attempt=attempt, plan=plan(*(nodes or (node("a"),)), **more))

    async def start(self, node_id: str = "a", attempt: int = 1) -> None:
        await self.do(c.StartNode, node_id=node_id, attempt=attempt)

    async def complete(self, node_id: str = "a", output: Any = "done", attempt: int = 1) -> None:
        await self.do(c.CompleteNode, node_id=node_id, attempt=attempt, output=output, duration_ms=1)

    async def work(self, node_id: str = "a", output: Any = "done") -> None:
        """Start and complete a node."""
        await self.start(node_id)
        await self.complete(node_id, output)

    async def deliver(self, output: Any = None) -> Outcome:
        return await self.do(c.DeliverOutput, output={"text": "hello"} if output is None else output)

    async def to_the_end(self) -> None:
        """The shortest successful run: six events."""
        await self.planned()
        await self.work()
        await self.deliver()

    async def log(self, message: str) -> None:
        await self.do(c.RecordLog, message=message)

    async def respond(self, request_id: str, response_type: str = "approval", **more: Any) -> Outcome:
        return await self.do(
            c.ResolveRequest, request_id=request_id, response_type=response_type, actor=ANN, **more
        )
