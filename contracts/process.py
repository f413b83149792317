"""The check in a child process of the sandbox. `contracts.checker` is the only caller."""

import dataclasses
from collections.abc import Iterable
from itertools import islice
from typing import Any, cast

import orjson

from contracts.compiler import CompiledSchema, compile_schema
from contracts.gate import GateLimits, pass_gate
from contracts.lint import lint_schema
from contracts.lru import LruCache
from contracts.minimum_size import minimum_size_problem
from contracts.patterns import EngineGaveUp
from contracts.problems import AjvError, SchemaRefused
from sandbox.errors import InputRefused
from schemas.refusal import MAX_PROBLEMS

REMEMBERED_SCHEMAS = 256
MAX_ERROR_BYTES = 8 * 1024
MAX_ERRORS_BYTES = 256 * 1024
MAX_LISTED_VALUES = 50

_compiled: LruCache[str, CompiledSchema] = LruCache(REMEMBERED_SCHEMAS)


def check(argument: dict[str, Any], blob: bytes) -> dict[str, Any]:
    """`{"errors": [...]}` of the `document` in `{"hash", "limits", "max_errors", "document"}`; `{}` without a document.
    `{"gave_up": True}` where a pattern needs more stack than its engine has.

    `blob` is the schema as JSON, `hash` its name; `limits` are those of the gate that it passes first. Without a
    document the schema is one that comes in: what its author cannot have meant, and what no output can meet, is
    refused too. Raises InputRefused with the problems of a schema that is refused.
    """
    try:
        compiled = _compiled_schema(argument, blob)
        if "document" not in argument:
            _refuse_misunderstandings(blob)
            if problem := minimum_size_problem(compiled.schema):
                raise SchemaRefused([problem])
            return {}
    except SchemaRefused as refusal:
        raise InputRefused([dataclasses.asdict(problem) for problem in refusal.problems]) from None
    try:
        return {"errors": bounded_errors(compiled.errors(argument["document"], argument["max_errors"]))}
    except EngineGaveUp:
        return {"gave_up": True}


def _compiled_schema(argument: dict[str, Any], blob: bytes) -> CompiledSchema:
    """Raises SchemaRefused."""
    compiled = _compiled.get(argument["hash"])
    if compiled is None:
        pass_gate(blob, GateLimits(**argument["limits"]))
        try:
            compiled = compile_schema(orjson.loads(blob))
        except SchemaRefused:
            # Words for what its author meant say more than the meta-schema's, which the same mistake breaks.
            _refuse_misunderstandings(blob)
            raise
        _compiled.put(argument["hash"], compiled)
    return compiled


def _refuse_misunderstandings(blob: bytes) -> None:
    """Raises SchemaRefused."""
    if problems := list(islice(lint_schema(orjson.loads(blob)), MAX_PROBLEMS)):
        raise SchemaRefused(problems)


def bounded_errors(errors: Iterable[AjvError]) -> list[AjvError]:
    """The errors as far as MAX_ERRORS_BYTES reach, each shortened to MAX_ERROR_BYTES: they are kept with their run.

    An `enum` of 5,000 texts is in every error about it.
    """
    kept: list[AjvError] = []
    room = MAX_ERRORS_BYTES
    for error in errors:
        short = _shortened(error)
        room -= len(orjson.dumps(short, default=float))
        if kept and room < 0:
            break
        kept.append(short)
    return kept


def _shortened(error: AjvError) -> AjvError:
    if len(orjson.dumps(error, default=float)) <= MAX_ERROR_BYTES:
        return error
    params: dict[str, Any] = {}
    for name, value in error["params"].items():
        few = cast("list[Any]", value)[:MAX_LISTED_VALUES] if isinstance(value, list) else value
        if len(orjson.dumps(few, default=float)) <= MAX_ERROR_BYTES // 2:
            params[name] = few
    message = error["message"][: MAX_ERROR_BYTES // 8]
    return {**error, "message": message, "params": params}
