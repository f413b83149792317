"""The lines of all processes about one run are joined by its id, its node and its correlation id."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson

from flexrun.client import GatewayClient
from tests.e2e.test_metrics import AUTHORS, task
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.sites import reached

REQUESTS = frozenset({"request"})
"""Lines about a request have its own correlation id, which for others than the submitter is not that of the run."""


def lines_of(process: FlexrunProcess) -> list[dict[str, Any]]:
    text = process.last_words(10_000_000)
    return [orjson.loads(line) for line in text.splitlines() if line.startswith("{")]


async def test_every_line_about_a_run_has_its_correlation_id_and_its_node(
    setting: Setting, tmp_path: Path
) -> None:
    module = tmp_path / "authors.py"
    module.write_text(dedent(AUTHORS))
    site = Site(setting, tmp_path / "site")
    for role in ("gateway", "planner", "executor"):
        site.add(role, LOG_LEVEL="debug", LOG_FORMAT="json", LOAD=str(module))
    envelope = orjson.loads(task("calm"))
    envelope["metadata"] = {"correlationId": "order-4711"}
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(orjson.dumps(envelope))
        await reached(client, run_id, "completed")
        about = [
            line
            for process in site.processes.values()
            for line in lines_of(process)
            if line.get("run_id") == run_id and line["event"] not in REQUESTS
        ]
    assert {"planned", "node_started", "node_ended"} <= {line["event"] for line in about}
    assert [line for line in about if line.get("correlation_id") != "order-4711"] == []
    of_nodes = [line for line in about if "capability_id" in line or line.get("kind") == "node"]
    assert of_nodes
    assert [line for line in of_nodes if line.get("node_id") != "acme.second-try"] == []
