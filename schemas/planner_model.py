"""The language model that proposes plans: what `FLEXRUN_PLANNER_MODEL` says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import AS_SENT, Model, Reference
from schemas.homes import CallSeconds, Prompt, SecretReference, TokenPrice, Url

MAX_TRIES = 10


class PlannerModel(Model):
    """A model behind an endpoint that speaks the chat completions of OpenAI.

    It may propose `tries` times for one planning attempt, within `seconds` in all; then the contract planner plans.
    `instructions` are added to what it is told. The other members are those of a home of type `model`.
    """

    model: Reference
    base_url: Url
    api_key: SecretReference | None = None
    temperature: Annotated[float, Field(ge=0, le=2), AS_SENT] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    structured: Literal["auto", "schema", "json", "text"] = "auto"
    request_seconds: CallSeconds = 60.0
    price: TokenPrice | None = None
    stream: bool = True
    instructions: Prompt | None = None
    tries: Annotated[int, Field(ge=1, le=MAX_TRIES)] = 3
    seconds: CallSeconds = 120.0
