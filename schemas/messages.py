"""The hint that travels through a broker: there is work for this run, go and look.

It carries ids only. Losing one costs time and doubling one costs nothing, but a garbled one must be told from
a good one at once, or it would be redelivered without end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import fastjsonschema
import orjson

from schemas.vocabulary import HintKind

MAX_MESSAGE_BYTES = 10_000

# `additionalProperties` stays open: a worker of today ignores what a gateway of tomorrow adds to version 1.
WORK_MESSAGE_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "WorkMessage",
    "type": "object",
    "required": ["v", "kind", "runId", "nodeId", "attempt", "workId"],
    "properties": {
        "v": {"const": 1},
        "kind": {"enum": ["plan", "node", "output"]},
        "runId": {
            "type": "string",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        },
        "nodeId": {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_.-]{1,100}$"},
        "attempt": {"type": "integer", "minimum": 0, "maximum": 2_147_483_647},
        "workId": {"type": "string", "pattern": "^[!-~]{1,300}$"},
    },
    "if": {"properties": {"kind": {"const": "node"}}},
    "then": {"properties": {"nodeId": {"type": "string"}}},
}


class MessageRefused(ValueError):
    """A message that is no work hint; it belongs into the dead-letter queue together with `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WorkMessage:
    """Work that is due: of which kind, for which run and node, in which attempt."""

    kind: HintKind
    run_id: str
    node_id: str | None
    attempt: int
    work_id: str


def encode_work(message: WorkMessage) -> bytes:
    """The message as it travels."""
    return orjson.dumps(
        {
            "v": 1,
            "kind": message.kind,
            "runId": message.run_id,
            "nodeId": message.node_id,
            "attempt": message.attempt,
            "workId": message.work_id,
        }
    )


def decode_work(body: bytes) -> WorkMessage:
    """The message in `body`; raises MessageRefused for anything that `encode_work` would not have made."""
    if len(body) > MAX_MESSAGE_BYTES:
        msg = f"the message has {len(body)} bytes, a work hint at most {MAX_MESSAGE_BYTES}"
        raise MessageRefused(msg)
    try:
        document: Any = orjson.loads(body)
        _validator()(document)
    except orjson.JSONDecodeError as error:
        msg = f"the message is not JSON: {error}"
        raise MessageRefused(msg) from None
    except fastjsonschema.JsonSchemaValueException as error:
        raise MessageRefused(str(error.message)) from None
    # An attempt written as 1.0 is an integer to JSON Schema.
    return WorkMessage(
        document["kind"],
        document["runId"],
        document["nodeId"],
        int(document["attempt"]),
        document["workId"],
    )


@cache
def _validator() -> Callable[[Any], Any]:
    """Compiled on first use: it takes a while, and a process that only publishes never needs it."""
    return cast("Callable[[Any], Any]", fastjsonschema.compile(WORK_MESSAGE_SCHEMA))
