"""Random tasks at a whole engine, answered at random and forked: all end, nothing is a 500, no step blocks the loop.

The client is a thread of its own, where what is drawn is encoded and what is answered is decoded, so that the loop that
is measured is the engine's alone.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from tests.e2e.any_task import ENVELOPES, FORKS, RESPONSES, VALUES
from tests.support.gateways import API
from tests.support.linkedin import envelope
from tests.support.loop_time import MOST_SECONDS, loop_time
from tests.support.waiting import DEADLINE_SECONDS

LARGEST_BODY = 2_000_000
EXAMPLES = int(os.environ.get("FLEXRUN_TEST_EXAMPLES", "12"))
ANSWERS = st.lists(st.tuples(RESPONSES, VALUES), max_size=4)
"""The answers of people before the run is aborted."""

PATIENCE_SECONDS = 2 * DEADLINE_SECONDS
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Client:
    """Calls the engine from a thread, and can send to its queue."""

    engine: Engine
    loop: asyncio.AbstractEventLoop
    seen: Counter[str] = field(default_factory=Counter[str])

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and document; nothing may be a 500."""
        assert self.engine.server is not None
        parts = urlsplit(self.engine.server.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, None if body is None else encoded(body))
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        assert answer.status not in (500, 503), (method, path, raw[:500])
        return answer.status, orjson.loads(raw) if raw.startswith((b"{", b"[")) else raw

    def send(self, message: Any) -> None:
        """Send to the queue of decisions."""
        publishing = self.engine.broker.publish_message("hitl", encoded(message))
        asyncio.run_coroutine_threadsafe(publishing, self.loop).result(PATIENCE_SECONDS)

    def lead(
        self, tasks: list[dict[str, Any]], answers: list[tuple[dict[str, Any], Any]], fork: dict[str, Any]
    ) -> None:
        """Submit, answer and fork; everything that was accepted ends."""
        gc.collect()
        gc.freeze()  # Keeps the objects of Hypothesis out of the measurement.
        submitted = [self.ask("POST", f"{API}/runs", task) for task in tasks]
        self.seen.update(f"submitted {status}" for status, _ in submitted)
        for run_id in [body["runId"] for status, body in submitted if status == 202]:
            run = self.led_to_its_end(run_id, answers)
            status, made = self.ask("POST", f"{API}/runs/{run_id}/fork", fork_of(run, fork))
            self.seen[f"fork: {status}"] += 1
            if status == 201:
                self.led_to_its_end(made["runId"], answers)

    def settled(self, run_id: str) -> dict[str, Any]:
        """The run as soon as it has ended or waits for people."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            _, run = self.ask("GET", f"{API}/runs/{run_id}")
            if run["status"] in ("completed", "failed", "aborted", "awaiting_hitl", "awaiting_human"):
                return run
            assert time.monotonic() < deadline, run
            time.sleep(_PAUSE_SECONDS)

    def led_to_its_end(self, run_id: str, answers: list[tuple[dict[str, Any], Any]]) -> dict[str, Any]:
        """Answer while it waits; abort it when there are no answers left."""
        for response, output in answers:
            run = self.settled(run_id)
            if not run["status"].startswith("awaiting"):
                break
            self.answer(run_id, response, output)
        else:
            self.ask("POST", f"{API}/runs/{run_id}/abort", {})
        self.ask("GET", f"{API}/runs/{run_id}/events")
        run = self.settled(run_id)
        assert not run["status"].startswith("awaiting"), run["status"]
        self.seen[run["status"]] += 1
        return run

    def answer(self, run_id: str, response: dict[str, Any], output: Any) -> None:
        """Decide the requests, over HTTP and by the queue, and submit the tasks."""
        _, pending = self.ask("GET", f"/api/hitl/pending?runId={run_id}")
        for request in pending.get("requests", [])[:2]:
            self.ask("GET", f"/api/hitl/requests/{request['requestId']}")
            body = {"runId": run_id, "requestId": request["requestId"], "responses": [response]}
            for operator in ("ann", "bob"):
                status, _ = self.ask("POST", "/api/hitl/resume", {**body, "operator": operator})
                self.seen[f"{response['responseType']}: {status}"] += 1
            self.send({**body, "operator": "ann"})
        _, tasks = self.ask("GET", f"{API}/tasks?runId={run_id}")
        for task in tasks["tasks"][:2]:
            status, _ = self.ask("POST", f"{API}/tasks/{task['taskId']}/submit", {"output": output})
            self.seen[f"submit: {status}"] += 1


def encoded(body: Any) -> bytes:
    """JSON, or an empty list where that would be more than a body may have."""
    raw = orjson.dumps(body)
    return raw if len(raw) < LARGEST_BODY else b"[]"


def fork_of(run: dict[str, Any], drawn: dict[str, Any]) -> dict[str, Any]:
    """The body of a fork: the run's own nodes with the changes that were drawn, and copies of the last one."""
    body = {name: drawn[name] for name in ("inputs", "policies") if name in drawn}
    nodes = [dict(node_of(node)) for node in run.get("nodes", [])]
    if not nodes or not drawn["changes"]:
        return body
    for node, change in zip(reversed(nodes), drawn["changes"], strict=False):
        node.update(change)
    copies = [{**nodes[-1], "id": f"copy{n}"} for n in range(drawn["copies"])]
    return {**body, "fromNodeId": nodes[0]["id"], "nodes": [*nodes, *copies]}


def node_of(shown: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """A shown node in the form that a fork takes."""
    for name in ("id", "capabilityId", "kind", "label", "dependsOn"):
        if name in shown:
            yield name, shown[name]


# Strategies with long texts have long descriptions, and the engine's own threads use `random` while one is drawn from.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
async def test_random_tasks_end_and_hold_no_loop(database_url: str) -> None:
    async with Engine(Settings(database_url=database_url, port=0), frozenset(ROLES)) as engine:
        client = Client(engine, asyncio.get_running_loop())
        # What happens only once is not measured.
        await asyncio.to_thread(client.lead, [envelope(), envelope()], [], {"copies": 0, "changes": [{}]})
        with loop_time() as held:

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=[
                    HealthCheck.too_slow,
                    HealthCheck.data_too_large,
                    HealthCheck.large_base_example,
                ],
            )
            @given(st.lists(ENVELOPES, min_size=2, max_size=2), ANSWERS, FORKS)
            def lead(
                tasks: list[dict[str, Any]], answers: list[tuple[dict[str, Any], Any]], fork: dict[str, Any]
            ) -> None:
                client.lead(tasks, answers, fork)
                assert held.longest_seconds < MOST_SECONDS, held.longest

            await asyncio.to_thread(lead)
    assert client.seen["submitted 202"]
