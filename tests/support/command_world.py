"""An engine with something for each command to act on, and the record of all commands that a test has run on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from broker.factory import open_broker
from flexrun.client import GatewayClient
from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.cli import Done, run
from tests.support.processes import Setting, Site
from tests.support.remote import registered, remote_node
from tests.support.sites import envelope, only_request, reached
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring

TOKEN = "token-of-ann"
AT_ONCE = 3
"""How many commands run at the same time."""

AUTHORS = """
    from pydantic import BaseModel
    from flexrun_sdk import capability

    class Ticket(BaseModel):
        text: str

    class Sun(BaseModel):
        word: str

    @capability(id="acme.sun", facets_out="sun")
    def sun(ticket: Ticket) -> Sun:
        return Sun(word=ticket.text)
"""


@dataclass
class CommandWorld:
    """`ran` has what each command printed first, by its name."""

    url: str
    database_url: str
    folder: Path
    client: GatewayClient
    wiring: StoreWiring
    ran: dict[str, Done] = field(default_factory=dict[str, Done])
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self, name: str, *arguments: str, given: Any = None, status: int = 0) -> Any:
        """A command with `--json`; the first document that it has printed. Its name is that of the command tree."""
        settings = {"URL": self.url, "TOKEN": TOKEN, "DATABASE_URL": self.database_url}
        text = orjson.dumps(given) if given is not None else None
        words = [*name.split(), *([] if name == "example" else ["--json"]), *arguments]
        async with self._turns:
            done = await run(*words, settings=settings, given=text)
        assert done.status == status, f"{name}: {done.status}\n{done.out}\n{done.err}"
        self.ran.setdefault(name, done)
        return orjson.loads(done.out.splitlines()[0]) if name != "example" else None

    async def started(
        self, example: str = "linkedin-variants", until: str = "completed", **policies: Any
    ) -> str:
        """A run of an example that has come so far."""
        run_id = await self.client.start_run(envelope(example, **policies))
        await reached(self.client, run_id, until)
        return run_id

    async def request(self, **policies: Any) -> str:
        """The request of a new run that waits for an approval."""
        run_id = await self.started("linkedin-approval", "awaiting_hitl", **policies)
        return (await only_request(self.client, run_id))["requestId"]

    async def task(self) -> str:
        """A node of a new run that a person is to do."""
        run_id = await self.started("linkedin-variants", "awaiting_human", humanReview=True)
        (task,) = (await self.client.call("GET", f"/api/v1/flex/tasks?runId={run_id}"))["tasks"]
        return task["taskId"]

    async def question(self) -> str:
        """A request of a node that asks for something."""
        run_id = await self.wiring.submit(remote_node("a"))
        hand = ByHand(self.wiring.handler, run_id)
        await hand.start()
        await hand.do(c.RequestClarification, node_id="a", attempt=1, question="For whom?")
        return (await only_request(self.client, run_id))["requestId"]

    async def claimed(self) -> str:
        """A node that a worker has."""
        await registered(self.wiring.store)
        run_id = await self.wiring.submit(remote_node("a"))
        await self.wiring.take(run_id, "a", "remote/hangs")
        return f"{run_id}:node:a"

    async def letters(self, setting: Setting) -> list[str]:
        """Two dead letters."""
        broker = open_broker("postgres", self.wiring.store, None, namespace=setting.namespace)
        await broker.start()
        try:
            for _ in range(2):
                await broker.publish_message("hitl", b'{"nonsense": ')
        finally:
            await broker.close()

        async def buried() -> list[str]:
            found = (await self.client.call("GET", "/api/v1/flex/dead-letters"))["deadLetters"]
            assert len(found) == 2, found
            return [each["id"] for each in found]

        return await eventually(buried)

    def file(self, name: str, content: bytes | str) -> str:
        """A file with this in it; its path."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        return str(path)

    def key(self) -> str:
        """A file with a key that signs checkpoints."""
        made = Ed25519PrivateKey.generate()
        return self.file("key.pem", made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@asynccontextmanager
async def command_world(setting: Setting, folder: Path) -> AsyncIterator[CommandWorld]:
    """A `flexrun up` with a token, whose runs can be erased."""
    site = Site(setting, folder / "site")
    site.add("up", TOKENS=f"{TOKEN}=ann:admin", WEBHOOK_ALLOW_PRIVATE="true", ERASABLE="on")
    async with (
        site,
        GatewayClient(site.urls[0], TOKEN) as client,
        StoreWiring(setting.database_url) as wiring,
    ):
        yield CommandWorld(site.urls[0], setting.database_url, folder, client, wiring)
