"""Where a capability runs and how it is reached: the `home` of its descriptor.

A value that holds a secret is `${env:NAME}`: the process that makes the call reads that variable, and nobody else sees
more than its name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from schemas.base import AS_SENT, NOT_BLANK, Model, Reference, flaw, refused
from schemas.explain import TAG_MARK
from schemas.spelling import suggest
from schemas.usage import Currency

HomeType = Literal["python", "worker", "http", "model", "mcp", "human"]

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{1,2000}$")]
Setting = Annotated[str, StringConstraints(max_length=4_000)]
"""A text in which each `${env:NAME}` stands for the value of an environment variable."""

SecretReference = Annotated[str, StringConstraints(pattern=r"^\$\{env:[A-Za-z_][A-Za-z0-9_]{0,199}\}$")]
"""The name of an environment variable, `${env:NAME}`, and never the secret itself."""

Headers = Annotated[dict[Reference, Setting], Field(max_length=50)]
CallSeconds = Annotated[float, Field(gt=0, le=3_600), AS_SENT]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=100_000, pattern=NOT_BLANK)]


def _says_its_type(schema: dict[str, Any]) -> None:
    schema["properties"]["type"].pop("default", None)
    schema["required"] = ["type", *schema.get("required", [])]


class HomeModel(Model):
    """A home; in a document it always says its `type`."""

    model_config = ConfigDict(json_schema_extra=_says_its_type)


class PythonHome(HomeModel):
    """A Python function, run by executors that have loaded it (`flexrun executor --load`)."""

    type: Literal["python"] = "python"


class WorkerHome(HomeModel):
    """A worker in any language, which asks a gateway for work (`POST /api/v1/flex/work/claim`)."""

    type: Literal["worker"] = "worker"


class HttpHome(HomeModel):
    """A service: the bundle is sent to `url` by POST.

    `secret` signs each request as https://www.standardwebhooks.com has it (`whsec_…`). A service that answers 202 calls
    back within `callbackTimeoutSeconds`. `allowPrivate` permits an address of this machine or network.
    """

    type: Literal["http"] = "http"
    url: Url
    headers: Headers = Field(default_factory=dict[str, str])
    secret: SecretReference | None = None
    request_seconds: CallSeconds = 30.0
    callback_timeout_seconds: Annotated[float, Field(gt=0, le=30 * 24 * 3600), AS_SENT] = 24 * 3600.0
    allow_private: bool = False


class TokenPrice(Model):
    """What a model costs: millionths of `currency` for one token, `2.5` where a million tokens cost 2.50."""

    input_micros: Annotated[float, Field(ge=0, le=1_000_000), AS_SENT]
    output_micros: Annotated[float, Field(ge=0, le=1_000_000), AS_SENT]
    currency: Currency


class ModelHome(HomeModel):
    """A language model behind an endpoint that speaks the chat completions of OpenAI.

    `prompt` and `system` are Jinja2 templates over the bundle. `structured` is how the endpoint is asked for JSON: by
    the schema of the node's contract, as any JSON object, in words only, or (`auto`) by the first of these that works.
    With `price` the cost of each call is computed from its tokens. With `stream` the answer is shown as it is made.
    """

    type: Literal["model"] = "model"
    model: Reference
    base_url: Url
    api_key: SecretReference | None = None
    prompt: Prompt
    system: Prompt | None = None
    temperature: Annotated[float, Field(ge=0, le=2), AS_SENT] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    structured: Literal["auto", "schema", "json", "text"] = "auto"
    request_seconds: CallSeconds = 120.0
    price: TokenPrice | None = None
    stream: bool = True


class McpHome(HomeModel):
    """A tool of an MCP server, which is started by `command` (stdio) or reached at `url` (streamable HTTP)."""

    type: Literal["mcp"] = "mcp"
    command: Annotated[list[Setting], Field(min_length=1, max_length=100)] | None = None
    env: Annotated[dict[Reference, Setting], Field(max_length=100)] = Field(default_factory=dict[str, str])
    url: Url | None = None
    headers: Headers = Field(default_factory=dict[str, str])
    tool: Reference

    @model_validator(mode="after")
    def _has_one_server(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise refused(flaw("missing", "An MCP server has either a 'command' or a 'url'.", "command"))
        return self


class HumanHome(HomeModel):
    """People, who find the work in their list of tasks."""

    type: Literal["human"] = "human"


_TYPES: tuple[str, ...] = get_args(HomeType)


def _known_type(home: Any) -> Any:
    if not isinstance(home, dict):
        return home
    keys = cast("dict[str, Any]", home)
    if "type" not in keys:
        raise refused(flaw("missing", f"Say one of {', '.join(_TYPES)}.", "type"))
    named = keys["type"]
    if named not in _TYPES:
        nearest = suggest(named, _TYPES) if isinstance(named, str) else ""
        message = f"There is no such home; use one of {', '.join(_TYPES)}{nearest or '.'}"
        raise refused(flaw("not_allowed", message, "type"))
    return keys


def _tag(home: Any) -> str | None:
    named = cast("dict[str, Any]", home)["type"] if isinstance(home, dict) else getattr(home, "type", None)
    return TAG_MARK + named if named in _TYPES else None


Home = Annotated[
    Annotated[PythonHome, Tag(TAG_MARK + "python")]
    | Annotated[WorkerHome, Tag(TAG_MARK + "worker")]
    | Annotated[HttpHome, Tag(TAG_MARK + "http")]
    | Annotated[ModelHome, Tag(TAG_MARK + "model")]
    | Annotated[McpHome, Tag(TAG_MARK + "mcp")]
    | Annotated[HumanHome, Tag(TAG_MARK + "human")],
    Discriminator(_tag),
    BeforeValidator(_known_type),
]
