"""Something for each operation of the API to act on, and a request for each: of one's own, and of what is not there."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import psycopg
from psycopg import sql

from broker.interface import Broker
from gateway.endpoint import Endpoint
from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.remote import remote_node
from tests.support.waiting import eventually
from tests.support.whole_database import tables

CANARY = "canary"
"""A word that stands wherever a run holds payload, and nowhere else."""

NOWHERE = "01900000-0000-7000-8000-00000000dead"
SAID = f"Say {CANARY}"
OUTPUT = {"text": f"hello {CANARY}"}
ENVELOPE: dict[str, Any] = {
    "objective": SAID,
    "inputs": {"word": CANARY, CANARY: 1},
    "outputContract": {"schema": {"type": "object", "required": ["text"], "title": CANARY}},
}
STOP = {"id": "stop", "trigger": "manual", "action": {"type": "pause", "reason": "By hand."}}
WAITS = {"policies": {"requiresHitlApproval": True, "runtime": [STOP]}}
HOOK = {"url": "http://127.0.0.1:9/hook", "eventTypes": ["complete"]}
FACET = {
    "name": "star",
    "version": "1.0.0",
    "description": "A star.",
    "schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


class Things(Protocol):
    """The ids of what a request is about, by the names that paths have for them."""

    async def run_id(self) -> str: ...
    async def request(self) -> tuple[str, str]:
        """A run and its request."""
        ...

    async def task_id(self) -> str: ...
    async def link_token(self) -> str: ...
    async def link_id(self) -> str: ...
    async def webhook_id(self) -> str: ...
    async def capability_id(self) -> str: ...
    async def tenant_id(self) -> str: ...
    async def token_id(self) -> str: ...
    async def letter_id(self) -> str: ...
    async def work_id(self) -> str: ...
    async def attempt_token(self) -> str: ...


class Missing:
    """Ids that are well formed, and name nothing."""

    async def run_id(self) -> str:
        return NOWHERE

    async def request(self) -> tuple[str, str]:
        return NOWHERE, NOWHERE

    async def task_id(self) -> str:
        return f"{NOWHERE}.1-1.look"

    async def link_token(self) -> str:
        return "A" * 22 + "." + "A" * 43

    async def link_id(self) -> str:
        return "A" * 22

    async def webhook_id(self) -> str:
        return NOWHERE

    async def capability_id(self) -> str:
        return "acme.nowhere"

    async def tenant_id(self) -> str:
        return "Nowhere"  # no tenant can have a name with a capital letter

    async def token_id(self) -> str:
        return NOWHERE

    async def letter_id(self) -> str:
        return "nowhere"

    async def work_id(self) -> str:
        return f"{NOWHERE}:node:a"

    async def attempt_token(self) -> str:
        return "WyJub3doZXJlIl0." + "A" * 43


@dataclass
class Made:
    """Things that are made when they are asked for, each time anew, in the name of `key`'s holder.

    Links, which belong to who makes them, are made in that of `links_by`.
    """

    gateway: RunningGateway
    broker: Broker
    key: Mapping[str, str]
    links_by: Mapping[str, str]
    prefix: str = "test"
    """What the ids of its capabilities begin with."""
    _number: int = field(default=0)

    async def run_id(self) -> str:
        return (await self.request())[0]

    async def request(self) -> tuple[str, str]:
        run = await self._run(**WAITS)
        await run.planned(node("a"))
        await run.work(output=OUTPUT)
        outcome = await run.deliver(OUTPUT)
        (request,) = outcome.state.open_requests
        return run.run_id, request.id

    async def question(self) -> tuple[str, str]:
        """A run and the question of one of its nodes."""
        run = await self._run()
        await run.planned(node("a"))
        await run.start()
        asked = {"question": f"Which {CANARY}?", "additional_context": {CANARY: CANARY}}
        options = ({"id": "x", "label": CANARY},)
        outcome = await run.do(c.RequestClarification, node_id="a", attempt=1, options=options, **asked)
        (request,) = outcome.state.open_requests
        return run.run_id, request.id

    async def failed(self) -> str:
        """A run that failed with an error that tells of its payload, at the capability that was made last."""
        name = await self.capability_id()
        run = await self._run()
        await run.planned(remote_node("a", capability_id=name))
        await run.start()
        said = {"error_code": "broken", "message": f"cannot {CANARY}", "retryable": False, "jitter": 0.5}
        await run.do(c.FailNode, node_id="a", attempt=1, **said)
        return run.run_id

    async def completed(self) -> str:
        """A run that is over, with a line in its log."""
        run = await self._run()
        await run.planned(node("a"))
        await run.start()
        await run.do(c.RecordLog, message=f"made {CANARY}", node_id="a")
        await run.complete(output=OUTPUT)
        await run.deliver(OUTPUT)
        return run.run_id

    async def large(self) -> str:
        """A run with a node whose output is large."""
        run = await self._run()
        await run.planned(node("a"))
        await run.work(output=[OUTPUT] * 10_000)
        return run.run_id

    async def task_id(self) -> str:
        run = await self._run()
        contract = {"expectations": [f"Look at {CANARY}"], "output": {"title": CANARY}}
        await run.planned(node("look", agentType="human", contract=contract))
        await run.start("look")
        return f"{run.run_id}.1-1.look"

    async def link_token(self) -> str:
        return (await self._link())["url"].rpartition("/")[2]

    async def link_id(self) -> str:
        return (await self._link())["linkId"]

    async def webhook_id(self) -> str:
        return (await self._posted(f"{API}/webhooks", HOOK))["webhookId"]

    @property
    def last_capability_id(self) -> str:
        return f"{self.prefix}.made{self._number}"

    async def capability_id(self) -> str:
        self._number += 1
        name = self.last_capability_id
        body = {"id": name, "version": "1.0.0", "label": "Made", "home": {"type": "worker"}}
        await self._posted(f"{API}/capabilities/register", body)
        return name

    async def tenant_id(self) -> str:
        return "default"

    async def token_id(self) -> str:
        body = {"name": "made", "scopes": ["runs:read"]}
        return (await self._posted(f"{API}/tokens", body))["tokenId"]

    async def letter_id(self) -> str:
        self._number += 1
        note = f"{CANARY} {self._number};"
        await self.broker.publish_message("hitl", orjson.dumps({"runId": 7, "note": note}))

        async def buried() -> str:
            letters = await self.broker.dead_letters("", 1_000)
            return next((each.id for each in letters if note.encode() in each.body), "")

        return await eventually(buried)

    async def work_id(self) -> str:
        name = await self.capability_id()
        run = await self._run()
        await run.planned(remote_node("a", capability_id=name))
        return f"{run.run_id}:node:a"

    async def attempt_token(self) -> str:
        name = await self.capability_id()
        run = await self._run()
        await run.planned(remote_node("a", capability_id=name))
        claim = {"workerId": "w1", "capabilities": [{"id": name}], "slots": 1, "waitSeconds": 20}
        (task,) = (await self._posted(f"{API}/work/claim", claim))["tasks"]
        return task["token"]

    async def _run(self, **more: Any) -> ByHand:
        made = await self._posted(f"{API}/runs", {**ENVELOPE, **more})
        return ByHand(self.gateway.handler, made["runId"])

    async def _link(self) -> Any:
        body = {"requestId": (await self.request())[1]}
        return await self._posted("/api/hitl/link", body, self.links_by)

    async def _posted(self, path: str, body: Any, key: Mapping[str, str] | None = None) -> Any:
        answer, made = await self.gateway.post(path, body, **(self.key if key is None else key))
        assert answer.status < 300, (path, made)
        return made


@dataclass(frozen=True)
class Asked:
    """A request for an operation: what stands in its path, its query, and its body."""

    path: dict[str, str] = field(default_factory=dict[str, str])
    query: str = ""
    body: Any = None


Ask = Callable[[Things], Awaitable[Asked]]


def _by_path(**body: Any) -> Ask:
    """A request that is about what stands in its path."""

    async def ask(_things: Things) -> Asked:
        return Asked(body=body)

    return ask


async def _resumed(things: Things) -> Asked:
    return Asked(body={**ENVELOPE, "constraints": {"resumeRunId": await things.run_id()}})


async def _diff(things: Things) -> Asked:
    run_id = await things.run_id()
    return Asked({"run_id": run_id}, f"?other={run_id}")


async def _resolve(things: Things) -> Asked:
    run_id, request_id = await things.request()
    return Asked(body={"runId": run_id, "requestId": request_id, "responses": [{"approved": True}]})


async def _remove(things: Things) -> Asked:
    run_id, request_id = await things.request()
    return Asked(body={"runId": run_id, "requestId": request_id})


async def _show_request(things: Things) -> Asked:
    return Asked({"request_id": (await things.request())[1]})


async def _link(things: Things) -> Asked:
    return Asked(body={"requestId": (await things.request())[1]})


async def _resume(things: Things) -> Asked:
    return Asked(body={"runId": await things.run_id()})


async def _policy(things: Things) -> Asked:
    return Asked({"run_id": await things.run_id(), "policy_id": "stop"}, body={})


async def _claim(things: Things) -> Asked:
    capabilities = [{"id": await things.capability_id()}]
    return Asked(body={"workerId": "w2", "capabilities": capabilities, "slots": 1, "waitSeconds": 0})


async def _page(things: Things) -> Asked:
    return Asked({"token": await things.link_token()})


async def _release(things: Things) -> Asked:
    return Asked(body={"workIds": [await things.work_id()]})


async def _requeue(things: Things) -> Asked:
    return Asked(body={"ids": [await things.letter_id()]})


async def _drop(things: Things) -> Asked:
    return Asked(body={"ids": [await things.letter_id()], "reason": "nobody's"})


async def _asset(_things: Things) -> Asked:
    return Asked({"version": "0", "file": "nothing.css"})


def _attempt(**body: Any) -> Ask:
    async def ask(things: Things) -> Asked:
        return Asked({"token": await things.attempt_token()}, body=body)

    return ask


ASKED: dict[str, Ask] = {
    "streamRun": _resumed,
    "startRun": _resumed,
    "planEnvelope": _by_path(**ENVELOPE),
    "importRun": _by_path(),
    "compareRuns": _diff,
    "abortRun": _by_path(),
    "pauseRun": _by_path(),
    "resumeRun": _by_path(),
    "setRunPriority": _by_path(priority="high"),
    "eraseRun": _by_path(),
    "triggerPolicy": _policy,
    "registerCapability": _by_path(id="acme.kept", version="1.0.0", label="Kept", home={"type": "worker"}),
    "disableCapability": _by_path(),
    "enableCapability": _by_path(),
    "registerFacet": _by_path(**FACET),
    "browseAsset": _asset,
    "showRequest": _show_request,
    "resolveRequests": _resolve,
    "removeRequest": _remove,
    "makeLink": _link,
    "revokeLink": _by_path(),
    "showLink": _page,
    "decideByLink": _page,
    "streamResumedRun": _resume,
    "submitTask": _by_path(output=OUTPUT),
    "declineTask": _by_path(reason="no time"),
    "retryRun": _by_path(),
    "forkRun": _by_path(),
    "addWebhook": _by_path(**HOOK),
    "createToken": _by_path(name="made", scopes=["runs:read"]),
    "revokeToken": _by_path(),
    "setLimits": _by_path(limits={"weight": 1}),
    "unsetLimits": _by_path(names=["weight"]),
    "claimWork": _claim,
    "heartbeatOfWork": _attempt(),
    "completeWork": _attempt(output=1),
    "failWork": _attempt(error={"code": "broken", "message": "no"}),
    "askAboutWork": _attempt(question="Which?"),
    "logOfWork": _attempt(message="a line"),
    "deltaOfWork": _attempt(text="a piece"),
    "callBack": _attempt(output=1),
    "releaseWork": _release,
    "requeueDeadLetters": _requeue,
    "dropDeadLetters": _drop,
}
"""How each operation is asked that its path alone does not say. One that has a body and is not here fails the test."""


async def asked(endpoint: Endpoint, things: Things) -> Asked:
    """A request for this operation, about one of `things`."""
    made = await ASKED.get(endpoint.name, _by_path())(things)
    assert endpoint.method != "post" or endpoint.name in ASKED, (
        f"{endpoint.name}: say in ASKED how it is asked"
    )
    path = {
        name: made.path.get(name) or await getattr(things, name)()
        for name in re.findall(r"{(\w+)}", endpoint.path)
    }
    return Asked(path, made.query, made.body if endpoint.method == "post" else None)


async def answer_to(
    gateway: RunningGateway, endpoint: Endpoint, request: Asked, key: Mapping[str, str]
) -> tuple[int, bytes]:
    """Status and body; of a stream that stays open, the status alone."""
    url = gateway.url + endpoint.path.format(**request.path) + request.query
    body = orjson.dumps(request.body) if request.body is not None else None
    async with gateway.http.request(endpoint.method, url, data=body, headers=dict(key)) as answer:
        streams = answer.content_type == "text/event-stream"
        return answer.status, b"" if streams else await answer.read()


BY_THE_CLOCK = ("flex_processes", "flex_capability_workers")
"""What says who is there, written again and again by whoever is: of it only the number of rows counts."""


async def stored(
    database: psycopg.AsyncConnection[Any], *, without: tuple[str, ...] = (), besides: str = NOWHERE
) -> dict[str, Any]:
    """The number of rows of each table, and a hash of all of them, but for those that name the run `besides`."""
    found: dict[str, Any] = {}
    for name in await tables(database):
        if name in without:
            continue
        content = "''" if name in BY_THE_CLOCK else "string_agg(t::text, '|' order by t::text)"
        query = sql.SQL(
            f"select count(*), md5(coalesce({content}, '')) from {{}} t where position({{}} in t::text) = 0"  # noqa: S608 - our own text
        ).format(sql.Identifier(name), sql.Literal(besides))
        found[name] = await (await database.execute(query)).fetchone()
    return found
