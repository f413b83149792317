"""Checking a document in a child process of the sandbox: see `schemas.contracts.door`, which is the only caller."""

import dataclasses
from typing import Any

import orjson

from sandbox.errors import Refusal
from schemas.contracts.compiler import CompiledSchema, compile_schema
from schemas.contracts.gate import GateLimits, pass_gate
from schemas.contracts.problems import SchemaRefused
from schemas.contracts.recent import Recent

REMEMBERED_SCHEMAS = 256

_compiled: Recent[str, CompiledSchema] = Recent(REMEMBERED_SCHEMAS)


def check(argument: dict[str, Any], blob: bytes) -> dict[str, Any]:
    """`{"errors": [...]}` of the `document` in `{"hash", "limits", "max_errors", "document"}`; `{}` without a document.

    `blob` is the schema as JSON, `hash` its name; `limits` are those of the gate that it passes first.
    Raises Refusal with the problems of a schema that is none.
    """
    compiled = _compiled.get(argument["hash"])
    if compiled is None:
        try:
            pass_gate(blob, GateLimits(**argument["limits"]))
            compiled = compile_schema(orjson.loads(blob))
        except SchemaRefused as refusal:
            raise Refusal([dataclasses.asdict(problem) for problem in refusal.problems]) from None
        _compiled.put(argument["hash"], compiled)
    if "document" not in argument:
        return {}
    return {"errors": compiled.errors(argument["document"], argument["max_errors"])}
