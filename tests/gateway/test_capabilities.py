"""Registering, listing, disabling and removing capabilities, over HTTP and on a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eventstore.capabilities import heard_of
from eventstore.capability_cache import CapabilityCache
from tests.support.gateways import API, RunningGateway
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
Json = dict[str, Any]

PATH = f"{API}/capabilities"
SUMMARY: Json = {
    "id": "acme.summary",
    "version": "1.0.0",
    "label": "Summary",
    "kind": "execution",
    "facetsIn": ["company_profile"],
    "facetsOut": ["post_copy"],
    "cost": {"micros": 1200, "currency": "EUR"},
    "home": {"type": "http", "url": "https://acme.example/summary"},
}

NOTHING_BUT_A = {"type": "object", "required": ["a"], "additionalProperties": False}
FACETS_OF_AN_AGENT = {"mode": "facets", "facets": ["post_copy", "post_copi"]}
SCHEMA_OF_AN_AGENT = {"mode": "json_schema", "schema": {"type": 3}}


async def register(gateway: RunningGateway, body: Any, **headers: str) -> tuple[int, Any]:
    answer, document = await gateway.post(f"{PATH}/register", body, **headers)
    return answer.status, document


async def listed(gateway: RunningGateway, query: str = "") -> dict[str, Json]:
    answer, document = await gateway.get(PATH + query)
    assert answer.status == 200, document
    return {each["id"]: each for each in document["capabilities"]}


def places(problem: Json) -> list[tuple[str, str]]:
    return sorted((each["code"], each["pointer"]) for each in problem["errors"])


async def test_a_registered_capability_is_listed_and_shown(gateway: RunningGateway) -> None:
    status, made = await register(gateway, SUMMARY)
    assert (status, made["id"], made["version"], made["created"]) == (201, "acme.summary", "1.0.0", True)
    entry = (await listed(gateway))["acme.summary"]
    assert (entry["status"], entry["source"], entry["versions"]) == ("ok", "api", ["1.0.0"])
    assert entry["home"]["url"] == SUMMARY["home"]["url"]
    assert {key: entry[key] for key in SUMMARY if key != "home"} == {
        key: value for key, value in SUMMARY.items() if key != "home"
    }
    _, shown = await gateway.get(f"{PATH}/acme.summary")
    assert shown["capability"] == entry
    assert (shown["workers"], shown["recent"], shown["running"]) == ([], [], 0)
    assert shown["versions"][0]["descriptor"]["home"]["url"] == SUMMARY["home"]["url"]


async def test_the_same_again_is_200_and_changes_nothing(gateway: RunningGateway) -> None:
    await register(gateway, SUMMARY)
    reordered = {key: SUMMARY[key] for key in reversed(SUMMARY)} | {"tags": []}
    status, again = await register(gateway, reordered)
    assert (status, again["created"]) == (200, False)


async def test_another_descriptor_under_the_same_version_is_409_with_every_difference(
    gateway: RunningGateway,
) -> None:
    await register(gateway, SUMMARY)
    other = SUMMARY | {
        "label": "Other",
        "cost": {"micros": 1300, "currency": "EUR"},
        "home": {**SUMMARY["home"], "headers": {"X-Key": "in plain text"}},
    }
    status, problem = await register(gateway, other)
    assert (status, problem["code"]) == (409, "version_registered")
    assert [each["pointer"] for each in problem["errors"]] == [
        "/cost/micros",
        "/home/headers/X-Key",
        "/label",
    ]
    assert "1200" in problem["errors"][0]["message"]
    assert "plain text" not in str(problem)
    assert (await listed(gateway))["acme.summary"]["label"] == "Summary"


async def test_a_new_version_stands_beside_the_old_one_and_the_highest_is_listed(
    gateway: RunningGateway,
) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-beta.1"):
        assert (await register(gateway, SUMMARY | {"version": version}))[0] == 201
    entry = (await listed(gateway))["acme.summary"]
    assert entry["versions"] == ["2.0.0-beta.1", "1.10.0", "1.9.0"]
    assert entry["version"] == "2.0.0-beta.1"


@pytest.mark.parametrize("wrap", [lambda many: many, lambda many: {"capabilities": many}])
async def test_several_are_registered_at_once_or_none(
    gateway: RunningGateway, wrap: Callable[[list[Json]], Any]
) -> None:
    many = [SUMMARY | {"id": f"acme.{number}"} for number in range(3)]
    broken = wrap([*many, {"id": "acme.4", "label": "", "facetsOut": ["no_such_facet"]}])
    status, problem = await register(gateway, broken)
    prefix = "/capabilities" if isinstance(broken, dict) else ""
    assert (status, places(problem)) == (400, [("too_short", f"{prefix}/3/label")])
    assert await listed(gateway) == {}
    status, made = await register(gateway, wrap(many))
    assert (status, [each["created"] for each in made["capabilities"]]) == (201, [True] * 3)
    status, made = await register(gateway, wrap([*many, SUMMARY]))
    assert (status, [each["created"] for each in made["capabilities"]]) == (201, [False] * 3 + [True])
    clash = [SUMMARY | {"id": "acme.new"}, SUMMARY | {"label": "Other"}]
    status, problem = await register(gateway, wrap(clash))
    assert (status, places(problem)) == (409, [("differs", f"{prefix}/1/label")])
    assert "acme.new" not in await listed(gateway)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], [("out_of_range", "")]),
        ({"capabilities": {}}, [("wrong_type", "/capabilities")]),
        ({"capabilities": [SUMMARY], "id": "x"}, [("unknown_key", "/id")]),
        ([SUMMARY, 3], [("wrong_type", "/1")]),
        ([SUMMARY, SUMMARY], [("repeated", "/1/id")]),
        (SUMMARY | {"home": {"type": "http"}}, [("missing", "/home/url")]),
        (SUMMARY | {"facetsIn": ["company_profile", 3]}, [("wrong_type", "/facetsIn/1")]),
        (
            SUMMARY | {"facetsIn": ["company_profil", {"name": "nothing"}], "facetsOut": ["post_copi"]},
            [
                ("facet_unknown", "/facetsIn/0"),
                ("facet_unknown", "/facetsOut/0"),
            ],
        ),
        (SUMMARY | {"outputSchema": {"type": "strin"}}, [("schema_invalid", "/outputSchema/type")]),
        (
            SUMMARY | {"outputSchema": {"type": "number"}, "inputSchema": {"$ref": "http://elsewhere"}},
            [("contradiction", "/outputSchema/type"), ("schema_remote_ref", "/inputSchema/$ref")],
        ),
        (
            SUMMARY
            | {"facetsOut": ["post_copy", "review"], "outputSchema": NOTHING_BUT_A},
            [("contradiction", "/outputSchema")] * 3,
        ),
    ],
)  # fmt: skip
async def test_every_mistake_is_named_by_its_place(
    gateway: RunningGateway, body: Any, expected: list[tuple[str, str]]
) -> None:
    status, problem = await register(gateway, body)
    assert (status, places(problem)) == (400, expected)


async def test_the_words_of_existing_agents_are_understood(gateway: RunningGateway) -> None:
    agent: Json = {
        "capabilityId": "writer.SocialPosts",
        "version": "1.2.0",
        "displayName": "Social posts",
        "summary": "Writes posts for social networks.",
        "inputTraits": {"languages": ["en"]},
        "inputContract": {"mode": "facets", "facets": ["company_profile", "creative_brief"]},
        "outputContract": {"mode": "facets", "facets": ["post_copy"]},
        "cost": {"tier": "standard", "tokens": 900},
        "heartbeat": {"intervalSeconds": 60, "timeoutSeconds": 180},
        "metadata": {"team": "content"},
    }
    status, made = await register(gateway, agent)
    assert status == 201, made
    descriptor = made["descriptor"]
    assert {
        "id": "writer.SocialPosts",
        "version": "1.2.0",
        "label": "Social posts",
        "description": "Writes posts for social networks.",
        "facetsIn": ["company_profile", "creative_brief"],
        "facetsOut": ["post_copy"],
        "cost": {"tokens": 900},
        "heartbeatSeconds": 60,
        "inputTraits": {"languages": ["en"]},
        "metadata": {"team": "content", "cost": {"tier": "standard"}, "heartbeat": {"timeoutSeconds": 180}},
    }.items() <= descriptor.items()
    assert not {"capabilityId", "displayName", "inputContract", "heartbeat"} & descriptor.keys()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"capabilityId": "a b"}, ("bad_format", "/capabilityId")),
        ({"displayName": 3}, ("wrong_type", "/displayName")),
        ({"id": "other"}, ("repeated", "/capabilityId")),
        ({"inputContract": FACETS_OF_AN_AGENT}, ("facet_unknown", "/inputContract/facets/1")),
        ({"inputContract": {"mode": "facts"}}, ("unknown_mode", "/inputContract/mode")),
        ({"outputContract": SCHEMA_OF_AN_AGENT}, ("schema_invalid", "/outputContract/schema/type")),
        ({"outputContract": []}, ("wrong_type", "/outputContract")),
        ({"heartbeat": {"intervalSeconds": 0}}, ("out_of_range", "/heartbeat/intervalSeconds")),
    ],
)  # fmt: skip
async def test_mistakes_of_existing_agents_are_named_in_their_words(
    gateway: RunningGateway, keys: Json, expected: tuple[str, str]
) -> None:
    agent: Json = {"capabilityId": "writer.Posts", "displayName": "Posts", **keys}
    status, problem = await register(gateway, agent)
    assert (status, places(problem)) == (400, [expected])


async def test_the_list_is_filtered_by_facet_kind_home_and_status(gateway: RunningGateway) -> None:
    await register(
        gateway,
        [
            SUMMARY,
            {"id": "acme.worker", "label": "W", "kind": "validation", "home": {"type": "worker"}},
            {"id": "acme.takes", "label": "T", "facetsIn": [{"name": "post_copy", "required": False}]},
        ],
    )
    await gateway.post(f"{PATH}/acme.takes/disable", {})
    for query, expected in {
        "?facet=post_copy": {"acme.summary", "acme.takes"},
        "?facet=company_profile&home=http": {"acme.summary"},
        "?kind=validation": {"acme.worker"},
        "?home=worker": {"acme.worker"},
        "?status=ok": {"acme.summary"},
        "?status=silent": {"acme.worker"},
        "?status=disabled": {"acme.takes"},
        "?facet=unheard_of": set(),
    }.items():
        assert set(await listed(gateway, query)) == expected, query
    for query in ("?kind=magic", "?home=moon", "?status=fine", "?colour=red"):
        answer, problem = await gateway.get(PATH + query)
        assert (answer.status, problem["code"]) == (400, "query_invalid")


async def test_a_worker_that_serves_it_ends_the_silence_and_is_shown(gateway: RunningGateway) -> None:
    await register(gateway, {"id": "acme.worker", "label": "W", "home": {"type": "worker"}})
    await heard_of(gateway.store, "worker-1", [("acme.worker", "1.0.0")], 4)
    _, shown = await gateway.get(f"{PATH}/acme.worker")
    assert shown["status"] == "ok"
    (worker,) = shown["workers"]
    assert (worker["worker"], worker["version"], worker["slots"]) == ("worker-1", "1.0.0", 4)


async def test_disabling_and_enabling_one_version_or_all(gateway: RunningGateway) -> None:
    for version in ("1.0.0", "2.0.0"):
        await register(gateway, SUMMARY | {"version": version})
    _, body = await gateway.post(f"{PATH}/acme.summary/disable?version=2.0.0", {})
    assert body == {"id": "acme.summary", "versions": ["2.0.0"]}
    assert (await listed(gateway))["acme.summary"]["version"] == "1.0.0"
    _, body = await gateway.post(f"{PATH}/acme.summary/disable", {})
    assert body["versions"] == ["1.0.0", "2.0.0"]
    assert (await listed(gateway))["acme.summary"]["status"] == "disabled"
    await gateway.post(f"{PATH}/acme.summary/enable", {})
    entry = (await listed(gateway))["acme.summary"]
    assert (entry["status"], entry["version"]) == ("ok", "2.0.0")


async def test_removing_one_version_or_all(gateway: RunningGateway) -> None:
    for version in ("1.0.0", "2.0.0"):
        await register(gateway, SUMMARY | {"version": version})
    async with gateway.http.delete(f"{gateway.url}{PATH}/acme.summary?version=2.0.0") as answer:
        assert (answer.status, (await answer.json())["versions"]) == (200, ["2.0.0"])
    assert (await listed(gateway))["acme.summary"]["versions"] == ["1.0.0"]
    async with gateway.http.delete(f"{gateway.url}{PATH}/acme.summary") as answer:
        assert answer.status == 200
    for path in ("acme.summary", "no.such", "no%20such"):
        answer, problem = await gateway.get(f"{PATH}/{path}")
        assert (answer.status, problem["code"]) == (404, "capability_unknown")
    for word in ("disable", "enable"):
        answer, problem = await gateway.post(f"{PATH}/acme.summary/{word}", {})
        assert (answer.status, problem["code"]) == (404, "capability_unknown")


async def test_only_those_who_may_change_the_registry_do(start_gateway: Start) -> None:
    gateway = await start_gateway(
        tokens='{"token-of-ada": {"name": "ada", "roles": ["capabilities:write"]},'
        ' "token-of-eve": {"name": "eve", "roles": ["admin"]}, "token-of-bob": {"name": "bob", "roles": ["editor"]}}'
    )
    bob = {"Authorization": "Bearer token-of-bob"}
    facet = {"name": "ticket", "description": "A ticket", "schema": {"type": "string"}}
    for path, body in (
        (f"{PATH}/register", SUMMARY),
        (f"{PATH}/register", b"{"),
        (f"{PATH}/acme.summary/disable", {}),
        (f"{PATH}/acme.summary/enable", {}),
        (f"{API}/facets", facet),
    ):
        answer, problem = await gateway.post(path, body, **bob)
        assert (answer.status, problem["code"]) == (403, "not_permitted"), path
    async with gateway.http.delete(f"{gateway.url}{PATH}/acme.summary", headers=bob) as deleted:
        assert deleted.status == 403
    assert (await gateway.get(PATH, **bob))[1] == {"capabilities": []}
    assert (await register(gateway, SUMMARY, Authorization="Bearer token-of-ada"))[0] == 201
    assert (await gateway.post(f"{API}/facets", facet, Authorization="Bearer token-of-eve"))[0].status == 201
    entry = (await gateway.get(PATH, **bob))[1]["capabilities"][0]
    assert entry["worker"] == "ada"


async def test_of_many_registrations_at_once_one_wins_and_the_others_see_why(start_gateway: Start) -> None:
    gateways = [await start_gateway() for _ in range(2)]
    bodies = [SUMMARY | {"label": f"Label {number % 4}"} for number in range(16)]
    answers = await asyncio.gather(
        *(register(gateways[number % 2], body) for number, body in enumerate(bodies))
    )
    kept = (await listed(gateways[0]))["acme.summary"]["label"]
    assert sorted(status for status, _ in answers) == [200] * 3 + [201] + [409] * 12
    for body, (status, document) in zip(bodies, answers, strict=True):
        assert (status == 409) is (body["label"] != kept)
        if status == 409:
            assert places(document) == [("differs", "/label")]


async def test_a_registration_at_one_gateway_is_known_to_planners_and_other_gateways_within_a_second(
    start_gateway: Start,
) -> None:
    here, there = await start_gateway(), await start_gateway()
    planner = CapabilityCache(there.store, listener=there.listener, fresh_seconds=3600)
    caches = (planner, there.gateway.capabilities)
    for cache in caches:
        await cache.current()

    async def known(status: str | None) -> bool:
        found = [await cache.find("acme.summary", None) for cache in caches]
        return [row and row.status for row in found] == [status] * 2

    await register(here, SUMMARY)
    await eventually(lambda: known("ok"), 1)
    await here.post(f"{PATH}/acme.summary/disable", {})
    await eventually(lambda: known(None), 1)
    await here.post(f"{PATH}/acme.summary/enable", {})
    await eventually(lambda: known("ok"), 1)


async def test_a_prompt_that_is_no_template_is_refused_with_its_line(gateway: RunningGateway) -> None:
    home = {"type": "model", "model": "m", "baseUrl": "http://127.0.0.1:1/v1", "prompt": "one\n{% for %}"}
    status, problem = await register(gateway, {**SUMMARY, "home": {**home, "system": "{{ fine }}"}})
    assert (status, places(problem)) == (400, [("prompt_invalid", "/home/prompt")])
    assert "line 2" in problem["errors"][0]["message"]


async def test_a_large_registration_is_judged_beside_the_loop(gateway: RunningGateway) -> None:
    many = [SUMMARY | {"id": f"acme.{number}", "metadata": {"note": "x" * 500}} for number in range(100)]
    status, made = await register(gateway, many)
    assert (status, len(made["capabilities"])) == (201, 100)
    many[99] |= {"tags": [3] * 20_000}
    status, problem = await register(gateway, many)
    assert status == 400
    assert {each["pointer"].rsplit("/", 1)[0] for each in problem["errors"]} <= {"/99", "/99/tags"}
