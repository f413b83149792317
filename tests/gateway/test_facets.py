"""Facets that callers register: over HTTP, into contracts, with versions that stay compatible."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from schemas.facets import FACETS
from tests.support.gateways import API, RunningGateway
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
Json = dict[str, Any]

PATH = f"{API}/facets"
TICKET: Json = {
    "name": "ticket_summary",
    "version": "1.0.0",
    "description": "What a ticket says, in short",
    "schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["title"],
        "properties": {"title": {"type": "string", "maxLength": 80}},
    },
}

NEEDS_AN_ID = {**TICKET["schema"], "required": ["title", "id"], "properties": {"title": True, "id": True}}
OF_DRAFT_7 = {"type": "string", "$schema": "http://json-schema.org/draft-07/schema#"}


def changed(version: str = "1.1.0", **properties: Any) -> Json:
    schema = TICKET["schema"]
    return {
        **TICKET,
        "version": version,
        "schema": {**schema, "properties": {**schema["properties"], **properties}},
    }


async def post(gateway: RunningGateway, body: Any) -> tuple[int, Any]:
    answer, document = await gateway.post(PATH, body)
    return answer.status, document


async def listed(gateway: RunningGateway) -> dict[str, Json]:
    return {each["name"]: each for each in (await gateway.get(PATH))[1]["facets"]}


async def test_the_shipped_facets_are_listed_beside_registered_ones(gateway: RunningGateway) -> None:
    assert set(await listed(gateway)) == set(FACETS)
    status, made = await post(gateway, TICKET)
    assert (status, made) == (201, {"name": "ticket_summary", "version": "1.0.0", "created": True})
    facet = (await listed(gateway))["ticket_summary"]
    assert (facet["source"], facet["versions"], facet["schema"]) == ("api", ["1.0.0"], TICKET["schema"])
    assert (await listed(gateway))["post_copy"]["source"] == "shipped"


async def test_the_same_again_is_200_and_other_words_are_409(gateway: RunningGateway) -> None:
    await post(gateway, TICKET)
    assert await post(gateway, TICKET) == (
        200,
        {"name": "ticket_summary", "version": "1.0.0", "created": False},
    )
    status, problem = await post(gateway, {**changed("1.0.0", note=True), "description": "other"})
    assert (status, problem["code"]) == (409, "version_registered")
    assert [each["pointer"] for each in problem["errors"]] == ["/description", "/schema/properties/note"]


async def test_a_new_version_that_accepts_more_is_the_one_that_counts(gateway: RunningGateway) -> None:
    await post(gateway, TICKET)
    assert (await post(gateway, changed(title={"type": "string", "maxLength": 200})))[0] == 201
    assert (await listed(gateway))["ticket_summary"]["versions"] == ["1.1.0", "1.0.0"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            changed(title={"type": "string", "maxLength": 20}),
            [("facet_not_widened", "/schema/properties/title/maxLength")],
        ),
        (
            changed("2.0.0", title={"type": "number"}),
            [("facet_not_widened", "/schema/properties/title/type")],
        ),
        (
            {**TICKET, "version": "0.9.0", "schema": NEEDS_AN_ID},
            [("version_too_low", "/version"), ("facet_not_widened", "/schema/required")],
        ),
    ],
)
async def test_a_new_version_that_accepts_less_is_refused_with_the_place(
    gateway: RunningGateway, body: Json, expected: list[tuple[str, str]]
) -> None:
    await post(gateway, TICKET)
    status, problem = await post(gateway, body)
    assert (status, [(each["code"], each["pointer"]) for each in problem["errors"]]) == (400, expected)
    assert (await listed(gateway))["ticket_summary"]["versions"] == ["1.0.0"]


@pytest.mark.parametrize(
    ("keys", "code", "place"),
    [
        ({"name": "a b"}, "bad_format", "/name"),
        ({"description": " "}, "blank", "/description"),
        ({"schema": True}, "wrong_type", "/schema"),
        ({"schema": {}}, "schema_says_nothing", "/schema"),
        ({"schema": {"type": "objekt"}}, "schema_invalid", "/schema/type"),
        ({"schema": {"type": "string", "$id": "urn:x"}}, "schema_named", "/schema/$id"),
        ({"schema": OF_DRAFT_7}, "schema_mixed_dialects", "/schema/$schema"),
        ({"sample": 1}, "unknown_key", "/sample"),
    ],
)
async def test_what_is_no_facet_is_refused(
    gateway: RunningGateway, keys: Json, code: str, place: str
) -> None:
    status, problem = await post(gateway, TICKET | keys)
    assert (status, [(each["code"], each["pointer"]) for each in problem["errors"]]) == (400, [(code, place)])


async def test_a_run_owes_what_its_facets_said_when_it_was_accepted(gateway: RunningGateway) -> None:
    contract = {"mode": "facets", "facets": ["ticket_summary", "post_copy"]}
    envelope = {"objective": "Summarise", "outputContract": contract}
    unpinned = await gateway.start_run(**envelope)
    await post(gateway, TICKET)
    headers = {"Idempotency_Key": "key-1"}
    _, first = await gateway.post(f"{API}/runs", envelope, **headers)
    await post(gateway, changed(note={"type": "string"}))
    _, again = await gateway.post(f"{API}/runs", envelope, **headers)
    assert again["runId"] == first["runId"]
    state = await gateway.store.load(first["runId"], fresh=True)
    pinned = state.envelope["outputContract"]["facetSchemas"]
    assert pinned == {"ticket_summary": {"version": "1.0.0", "many": False, "schema": TICKET["schema"]}}
    before = await gateway.store.load(unpinned, fresh=True)
    assert before.envelope["outputContract"] == contract


async def test_a_caller_does_not_say_what_a_facet_is(gateway: RunningGateway) -> None:
    contract = {"mode": "facets", "facets": ["ticket_summary"], "facetSchemas": {}}
    _, problem = await gateway.post(f"{API}/runs", {"objective": "x", "outputContract": contract})
    assert [each["pointer"] for each in problem["errors"]] == ["/outputContract/facetSchemas"]


async def test_a_facet_is_known_at_the_other_gateway_within_a_second(start_gateway: Start) -> None:
    here, there = await start_gateway(), await start_gateway()
    await there.gateway.facets.current()
    await post(here, TICKET)

    async def known() -> bool:
        return "ticket_summary" in await there.gateway.facets.current()

    await eventually(known, 1)
    capability = {"id": "acme.tickets", "label": "Tickets", "facetsOut": ["ticket_summary"]}
    answer, _ = await there.post(f"{API}/capabilities/register", capability)
    assert answer.status == 201


async def start(gateway: RunningGateway, **inputs: Any) -> tuple[int, Json]:
    contract = {"mode": "facets", "facets": ["ticket_summary"]}
    answer, body = await gateway.post(
        f"{API}/runs", {"objective": "Answer", "inputs": inputs, "outputContract": contract}
    )
    return answer.status, body


@pytest.mark.parametrize(
    ("inputs", "places"),
    [
        ({"facets": {"ticket_summary": {"title": 5}}}, ["/inputs/facets/ticket_summary/title"]),
        ({"facets": {"ticket_summary": {}}}, ["/inputs/facets/ticket_summary"]),
        (
            {"facets": {"ticket_summary": [{"title": "a"}, {"titel": "b"}]}},
            ["/inputs/facets/ticket_summary/1", "/inputs/facets/ticket_summary/1"],
        ),
        (
            {"contextBundles": [{"type": "other"}, {"type": "ticket_summary", "payload": "x"}]},
            ["/inputs/contextBundles/1/payload"],
        ),
    ],
)
async def test_inputs_that_bring_a_facet_in_another_shape_are_refused_with_the_place(
    gateway: RunningGateway, inputs: Json, places: list[str]
) -> None:
    await post(gateway, TICKET)
    status, problem = await start(gateway, **inputs)
    assert status == 400
    assert [(each["code"], each["pointer"]) for each in problem["errors"]] == [
        ("facet_invalid", place) for place in places
    ]


@pytest.mark.parametrize(
    "inputs",
    [
        {"facets": {"ticket_summary": {"title": "a"}, "unheard_of": 5}},
        {"facets": {"ticket_summary": [{"title": "a"}, {"title": "b"}]}},
        {
            "facets": "no object",
            "contextBundles": [3, {"type": 4, "payload": 1}, {"type": "post_copy", "payload": 1}],
        },
    ],
)
async def test_facets_in_their_shape_and_those_of_unknown_names_are_taken(
    gateway: RunningGateway, inputs: Json
) -> None:
    await post(gateway, TICKET)
    assert (await start(gateway, **inputs))[0] == 202
