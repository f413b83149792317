"""An endpoint is declared once: it takes exactly what its declaration says."""

import re

import pytest
from aiohttp import web

from gateway.app import ENDPOINTS
from gateway.endpoint import Endpoint, Endpoints
from gateway.query import Parameter
from tests.support.gateways import RunningGateway

NOWHERE = "01900000-0000-7000-8000-00000000dead"


def _numbers_and_choices() -> list[tuple[Endpoint, Parameter]]:
    return [
        (endpoint, parameter)
        for endpoint in ENDPOINTS
        for parameter in endpoint.parameters
        if parameter.place == "query" and parameter.schema.keys() & {"minimum", "enum"}
    ]


def _refused(schema: dict[str, object]) -> list[str]:
    if "enum" in schema:
        return ["no_such_value", ""]
    beyond = [int(str(schema["maximum"])) + 1] if "maximum" in schema else []
    return [*map(str, [int(str(schema["minimum"])) - 1, *beyond]), "1.0", "x", ""]


async def test_the_limits_that_openapi_shows_are_those_by_which_queries_are_read(
    gateway: RunningGateway,
) -> None:
    run_id = await gateway.start_run()
    found = _numbers_and_choices()
    assert {(endpoint.name, parameter.name) for endpoint, parameter in found} >= {
        ("listRuns", "status"), ("listRuns", "limit"), ("readEvents", "until"), ("readEvents", "limit"),
        ("listTasks", "limit"), ("listPendingRequests", "limit"), ("listLinks", "limit"),
        ("listDeliveries", "status"), ("listDeliveries", "limit"),
    }  # fmt: skip
    for endpoint, parameter in found:
        path = re.sub(r"{\w+}", NOWHERE, endpoint.path.replace("{run_id}", run_id))
        for value in _refused(dict(parameter.schema)):
            answer, problem = await gateway.get(f"{path}?{parameter.name}={value}")
            where = (endpoint.name, parameter.name, value)
            assert (answer.status, problem["code"]) == (400, "query_invalid"), where
            assert f"Query parameter {parameter.name!r}" in problem["detail"], where


def test_a_handler_that_takes_what_no_request_has_is_not_declared() -> None:
    async def handler(request: web.Request, number: int) -> web.Response:
        return web.Response(text=f"{request.path} {number}")

    with pytest.raises(TypeError, match=r"handler\(number\)"):
        Endpoints("test").get("/x", name="x", summary="x", responses=[])(handler)
