"""A service in a process of its own: `python -m tests.support.held.service PORT`.

At `/later` it keeps what it has taken over on the disk, answers 202 and calls back; when it is started again it goes
on with what is there. At any other path it answers when the test lets it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.held.steps import Steps, step
from tests.support.waiting import eventually

_LOOK_SECONDS = 0.02
_WAIT_SECONDS = 600.0
_SETTLED = (200, 401, 409)
"""Answers to a callback after which it is not sent again."""


class Service:
    """Takes bundles, with its jobs in files."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._jobs = steps.folder / "jobs"
        self._jobs.mkdir(exist_ok=True)

    async def later(self, request: web.Request) -> web.Response:
        """Take the work over."""
        bundle = await request.json()
        self._steps.note_call("service")
        name = request.headers["Idempotency-Key"].replace("/", "_")
        (self._jobs / name).write_text(json.dumps(bundle))
        return web.Response(status=202)

    async def now(self, request: web.Request) -> web.Response:
        """Answer as soon as the test lets it."""
        bundle = await request.json()
        self._steps.note_call("service")
        await self._released()
        return web.json_response(_result(bundle, "ticket"))

    async def call_back(self) -> None:
        """Send the results of what was taken over, until a gateway has taken each."""
        async with aiohttp.ClientSession() as http:
            while True:
                await self._released()
                for job in sorted(self._jobs.iterdir()):
                    await _send(http, job)
                await asyncio.sleep(_LOOK_SECONDS)

    async def _released(self) -> None:
        await eventually(lambda: self._steps.may_go_on("service"), _WAIT_SECONDS)


def _result(bundle: dict[str, Any], facet: str) -> dict[str, Any]:
    return {"output": step("service", bundle["facets"][facet]["text"]), "usage": {"costMicros": 7}}


async def _send(http: aiohttp.ClientSession, job: Path) -> None:
    bundle = json.loads(job.read_text())
    try:
        async with http.post(bundle["callbackUrl"], json=_result(bundle, "sorted_ticket")) as answer:
            if answer.status in _SETTLED:
                job.unlink()
    except aiohttp.ClientError:
        return  # no gateway answers; it is sent again


async def _serve(port: int) -> None:
    service = Service(Steps.from_environment())
    app = web.Application()
    app.router.add_post("/later", service.later)
    app.router.add_post("/now", service.now)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)  # noqa: T201 - read by the test
    await service.call_back()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
