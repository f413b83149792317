"""Envelopes through the real endpoints: HTTP in, frames out, planner and executor as processes of their own."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.support.followers import API
from tests.support.linkedin import POST, VARIANTS, array_of, contract_for, example, object_of, with_inputs
from tests.support.processes import Site
from tests.support.submitting import Frame, delivered, get_json, stream_run

TEXT = {"type": "string", "minLength": 1}


def _types(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


def _plan_of(frames: list[Frame]) -> dict[str, Any]:
    return next(frame["payload"] for frame in frames if frame["type"] == "plan_generated")


async def test_the_variants_example_completes_with_an_output_that_its_contract_accepts(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    envelope = example("linkedin-variants")
    frames = await stream_run(http, shared_site.urls[0], envelope)
    first, second = delivered(envelope, frames)["variants"]
    assert "team culture" in first["headline"] + first["body"]
    assert "career growth" in (second["headline"] + second["body"]).lower()
    assert _types(frames)[:3] == ["start", "plan_requested", "plan_generated"]
    assert [frame["id"] for frame in frames] == [str(number + 1) for number in range(len(frames))]
    starts = [frame["nodeId"] for frame in frames if frame["type"] == "node_start"]
    assert (starts[0], sorted(starts[1:3]), starts[3:]) == ("brief", ["draft-a", "draft-b"], ["review"])


@pytest.mark.parametrize(
    "objective", ["Plan and approve a LinkedIn welcome post", "LinkedIn variants please"]
)
async def test_what_the_dialog_sends_is_planned_and_approved_as_its_store_does_it(
    shared_site: Site, http: aiohttp.ClientSession, objective: str
) -> None:
    """Acceptance criterion 4: the frames of the stream and `runs` of the pending list are all that the screens use."""
    gateway = shared_site.urls[0]
    directives = {"brandVoice": "inspiring", "requiresHitlApproval": True}
    envelope: dict[str, Any] = {
        "objective": objective,
        "policies": {"planner": {"directives": directives}, "runtime": []},
        "outputContract": contract_for(VARIANTS),
    }
    frames = await stream_run(http, gateway, envelope)
    plan = _plan_of(frames)["plan"]
    assert plan["runId"] == frames[0]["runId"]
    assert {each["status"] for each in plan["nodes"]} == {"pending"}
    asked = frames[-1]["payload"]["request"]
    assert asked["payload"]["kind"] == "approval"
    listed = (await get_json(http, f"{gateway}/api/hitl/pending?runId={plan['runId']}"))["runs"]
    (waiting,) = listed
    assert (waiting["pendingRequest"]["id"], waiting["status"]) == (asked["id"], "awaiting_hitl")
    response = {"requestId": asked["id"], "responseType": "approval", "approved": True, "responderId": "u1"}
    body = {
        "requestId": waiting["pendingRequestId"],
        "runId": waiting["runId"],
        "threadId": waiting["threadId"],
        "responses": [response],
        "operator": {"id": "u1", "displayName": "Ada", "email": "ada@example.com"},
    }
    async with http.post(f"{gateway}/api/hitl/resume", json=body) as answer:
        assert answer.status == 200, await answer.text()
    page = await get_json(http, f"{gateway}{API}/runs/{plan['runId']}/events")
    delivered(envelope, page["events"])


async def test_the_flat_record_goes_through_a_transformation_node(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    envelope = example("linkedin-flat-record")
    frames = await stream_run(http, shared_site.urls[0], envelope)
    output = delivered(envelope, frames)
    assert output["wordCount"] == len(output["text"].split())
    (shape,) = [node for node in _plan_of(frames)["nodes"] if node["kind"] == "transformation"]
    (done,) = [
        frame for frame in frames if frame["type"] == "node_complete" and frame["nodeId"] == shape["id"]
    ]
    assert done["payload"]["output"] == output


async def test_the_infeasible_example_fails_with_diagnostics_before_any_node_runs(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    frames = await stream_run(http, shared_site.urls[0], example("infeasible"))
    assert _types(frames) == ["start", "plan_requested", "plan_rejected", "complete"]
    diagnostics = frames[2]["payload"]["diagnostics"]
    assert {each["path"] for each in diagnostics} == {"/outputContract/facets/0"}
    assert all(each["message"] for each in diagnostics)
    assert frames[3]["payload"]["status"] == "failed"
    shown = await get_json(http, f"{shared_site.urls[0]}{API}/runs/{frames[0]['runId']}")
    assert (shown["status"], shown.get("nodes", [])) == ("failed", [])


async def test_the_approval_example_stops_until_a_person_has_said_yes(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    gateway, envelope = shared_site.urls[0], example("linkedin-approval")
    frames = await stream_run(http, gateway, envelope)
    assert _types(frames)[-1] == "hitl_request"
    run_id, question = frames[-1]["runId"], frames[-1]["payload"]
    assert (await get_json(http, f"{gateway}{API}/runs/{run_id}"))["status"] == "awaiting_hitl"

    response = {"requestId": question["requestId"], "responseType": "approval"}
    body = {"runId": run_id, "payload": {"responses": [response]}}
    async with http.post(f"{gateway}{API}/run.resume", json=body) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    shown = await get_json(http, f"{gateway}{API}/runs/{run_id}/events")
    assert _types(shown["events"])[-2:] == ["hitl_resolved", "complete"]
    assert delivered(envelope, shown["events"]) == question["pendingOutput"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
async def test_what_the_inputs_say_shows_in_every_variant(
    shared_site: Site, http: aiohttp.ClientSession, count: int
) -> None:
    company = {
        "companyName": f"Wörth & Söhne {count}",
        "coreValue": f"Nothing leaves the yard untested ({count})",
        "recentEvent": f"launch of ferry number {count}",
    }
    envelope = with_inputs(
        object_of({"variants": array_of(POST, minItems=count, maxItems=count)}),
        variantCount=count,
        audience=f"harbour pilots of pier {count}",
        contextBundles=[{"type": "company_profile", "payload": company}],
    )
    variants = delivered(envelope, await stream_run(http, shared_site.urls[0], envelope))["variants"]
    assert len({variant["body"] for variant in variants}) == count
    for variant in variants:
        assert company["companyName"] in variant["headline"] + variant["body"]
        for said in (company["coreValue"], company["recentEvent"], envelope["inputs"]["audience"]):
            assert said in variant["body"]


CONTRACTS = {
    "array of records": contract_for(array_of(object_of({"title": TEXT, "text": TEXT}), minItems=2)),
    "named otherwise": contract_for(object_of({"posts": array_of(object_of({"hook": TEXT, "cta": TEXT}))})),
    "with facts around": contract_for(
        object_of({"company": TEXT, "audience": TEXT, "total": {"type": "integer"}, "posts": array_of(POST)})
    ),
    "open": contract_for(object_of({"variants": array_of(POST)}, closed=False)),
    "almost anything": contract_for({"type": ["object", "array", "string"]}),
    "facets": {"mode": "facets", "facets": ["post_copy"]},
    "free text": {"mode": "freeform", "instructions": "A post as plain text."},
}


async def test_the_same_material_is_delivered_in_whatever_shape_is_asked_for(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    envelopes = {
        name: {
            **with_inputs(variantCount=1 if name in ("facets", "free text") else 2),
            "outputContract": contract,
        }
        for name, contract in CONTRACTS.items()
    }
    streams = await asyncio.gather(
        *(stream_run(http, shared_site.urls[0], envelope) for envelope in envelopes.values())
    )
    for (name, envelope), frames in zip(envelopes.items(), streams, strict=True):
        assert "Northwind Robotics" in str(delivered(envelope, frames)), name


async def test_fifty_runs_at_once_do_not_mix_up_whose_material_is_whose(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    def envelope(number: int) -> dict[str, Any]:
        company = {"companyName": f"Company{number:02}ltd"}
        bundles = [{"type": "company_profile", "payload": company}]
        return with_inputs(VARIANTS, variantCount=1 + number % 3, contextBundles=bundles)

    envelopes = [envelope(number) for number in range(50)]
    streams = await asyncio.gather(*(stream_run(http, shared_site.urls[0], each) for each in envelopes))
    for number, (each, frames) in enumerate(zip(envelopes, streams, strict=True)):
        text = str(delivered(each, frames))
        assert {f"Company{other:02}ltd" for other in range(50) if f"Company{other:02}ltd" in text} == {
            f"Company{number:02}ltd"
        }
