"""Plans that a model could propose over the world of examples/support, and a planner that asks one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from outbound.models.asking import Models
from planner.model.planner import MAX_ANSWER_BYTES, ModelPlanner
from planner.sandboxed import SandboxedPlanner
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from schemas.planner_model import PlannerModel
from tests.support.model_endpoint import Asked, completion

KEY = "sk-planner-secret-0123456789"
TICKET = {"subject": "Refund", "text": "I was charged twice for one invoice!"}
PRICE = {"inputMicros": 2, "outputMicros": 10, "currency": "EUR"}


def task(*facets: str, **more: Any) -> dict[str, Any]:
    """An envelope for these facets of the support world."""
    return {
        "objective": "Deal with this ticket",
        "inputs": {"facets": {"ticket": TICKET}},
        "outputContract": {"mode": "facets", "facets": list(facets)},
        **more,
    }


def step(name: str, *depends_on: str, capability: str | None = None) -> dict[str, Any]:
    """A proposed node `name` of the capability `support.NAME`."""
    capability_id = capability or f"support.{name}"
    return {"id": name, "capabilityId": capability_id, "label": f"Do {name}", "dependsOn": list(depends_on)}


def proposal(*nodes: dict[str, Any], rationale: str = "It is short.") -> str:
    """The text of an answer."""
    return json.dumps({"rationale": rationale, "nodes": list(nodes)})


GOOD = proposal(step("classify"), step("look_up", "classify"))
"""Gives `help_article`."""


def says(text: str | None, **choice: Any) -> Callable[[Asked], Any]:
    """An endpoint that answers this."""
    return lambda _asked: completion(text, **choice)


def model_of(url: str, **more: Any) -> PlannerModel:
    members = {"model": "test-model", "baseUrl": url, "requestSeconds": 5, "seconds": 10, **more}
    return PlannerModel.model_validate(members, by_alias=True, by_name=False)


@asynccontextmanager
async def model_planner(model: PlannerModel) -> AsyncIterator[ModelPlanner]:
    """A planner that asks this model, as a process of flexrun makes it."""
    async with (
        Sandbox(SandboxConfig(spares=0, preload=("planner.model.child",))) as sandbox,
        AsyncExitStack() as stack,
    ):
        models = Models(stack, MAX_ANSWER_BYTES)
        yield ModelPlanner(model, models, sandbox, SandboxedPlanner(sandbox))
