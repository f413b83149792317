"""`POST /api/v1/flex/plan` and `flexrun plan`: a plan, or what is missing, and nothing is stored."""

from __future__ import annotations

import json

import aiohttp

from tests.support.cli import run
from tests.support.linkedin import EXAMPLES, example
from tests.support.processes import Site


async def test_an_envelope_is_planned_without_a_run(shared_site: Site, http: aiohttp.ClientSession) -> None:
    gateway = shared_site.urls[0]

    async def runs() -> list[str]:
        async with http.get(f"{gateway}/api/v1/flex/runs?limit=200") as response:
            return [each["runId"] for each in (await response.json())["runs"]]

    before = await runs()
    async with http.post(f"{gateway}/api/v1/flex/plan", json=example("linkedin-variants")) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["feasible"] is True
    assert [node["id"] for node in answer["plan"]["nodes"]] == ["brief", "draft-a", "draft-b", "review"]
    assert answer["cost"]["nodes"] == 4
    async with http.post(f"{gateway}/api/v1/flex/plan", json=example("infeasible")) as response:
        refused = await response.json()
    assert (response.status, refused["feasible"]) == (200, False)
    assert "facet_unavailable" in {each["code"] for each in refused["diagnostics"]}
    async with http.post(f"{gateway}/api/v1/flex/plan", json={"objective": " "}) as response:
        assert response.status == 400
        assert "/objective" in {each["pointer"] for each in (await response.json())["errors"]}
    assert await runs() == before


async def test_a_facet_is_planned_at_the_least_cost_and_proved(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    envelope = {
        "objective": "A brief",
        "inputs": {"facets": {"company_profile": {"companyName": "Northwind"}}},
        "outputContract": {"mode": "facets", "facets": ["creative_brief"]},
    }
    async with http.post(f"{shared_site.urls[0]}/api/v1/flex/plan", json=envelope) as response:
        answer = await response.json()
    assert (answer["feasible"], answer["proved"]) == (True, True)
    assert [node["capabilityId"] for node in answer["plan"]["nodes"]] == ["stub.linkedin.brief"]


async def test_a_given_facet_is_checked_as_for_a_run(shared_site: Site, http: aiohttp.ClientSession) -> None:
    envelope = {
        "objective": "A brief",
        "inputs": {"facets": {"company_profile": "Northwind"}},
        "outputContract": {"mode": "facets", "facets": ["creative_brief"]},
    }
    for path in ("plan", "runs"):
        async with http.post(f"{shared_site.urls[0]}/api/v1/flex/{path}", json=envelope) as response:
            assert response.status == 400
            errors = (await response.json())["errors"]
        assert [(each["code"], each["pointer"]) for each in errors] == [
            ("facet_invalid", "/inputs/facets/company_profile")
        ]


async def test_a_disabled_capability_is_named_with_what_it_would_give(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    api = f"{shared_site.urls[0]}/api/v1/flex"
    facet = {
        "name": "weather_report",
        "version": "1.0.0",
        "description": "Weather",
        "schema": {"type": "string"},
    }
    home = {"type": "http", "url": "https://weather.example/report"}
    described = {
        "id": "acme.weather",
        "version": "1.0.0",
        "label": "Weather",
        "facetsOut": ["weather_report"],
    }
    envelope = {
        "objective": "What is the weather?",
        "outputContract": {"mode": "facets", "facets": ["weather_report"]},
    }
    for path, body, feasible in (
        ("facets", facet, None),
        ("capabilities/register", {**described, "home": home}, None),
        ("plan", envelope, True),
        ("capabilities/acme.weather/disable", {}, None),
        ("plan", envelope, False),
    ):
        async with http.post(f"{api}/{path}", json=body) as response:
            assert response.status in (200, 201), await response.text()
            answer = await response.json()
        if feasible is not None:
            assert answer["feasible"] is feasible
    assert "acme.weather, but it is disabled" in answer["diagnostics"][0]["message"]


async def test_the_command_shows_a_tree_or_the_reasons(shared_site: Site) -> None:
    gateway = shared_site.urls[0]
    done = await run("plan", str(EXAMPLES / "linkedin-variants.json"), "--url", gateway)
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert [line.strip("└├─│ ").split()[0] for line in lines[:4]] == ["output", "review", "draft-a", "brief"]
    assert "4 nodes" in lines[-1]
    refused = await run("plan", str(EXAMPLES / "infeasible.json"), "--url", gateway)
    assert refused.status == 1
    assert "facet_unavailable /outputContract/facets/0" in refused.out
    told = await run("plan", str(EXAMPLES / "infeasible.json"), "--url", gateway, "--json")
    assert json.loads(told.out)["feasible"] is False
