"""From bytes to a model: a small body here, a large one after a child process has found it good."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import orjson

from contracts.problems import CheckerUnavailable
from gateway.problems import ProblemError
from sandbox.errors import InputRefused, SandboxCrashed, SandboxFailed, SandboxTimedOut
from sandbox.sandbox import Sandbox
from schemas.base import Model
from schemas.body_check import read_form as read_form_here
from schemas.body_check import refusal_from_child
from schemas.json_text import load_json
from schemas.parsing import parse_document, validate_document
from schemas.refusal import DocumentRefused, FieldProblem

SMALL_BODY_BYTES = 32 * 1024
"""The largest body that is parsed in the gateway's own process; it blocks the loop for a fraction of its bound."""

JUDGING_SECONDS = 2.0
"""CPU time that a child may spend on one body."""

_CHECK_BODY = "schemas.body_check:check_body"

M = TypeVar("M", bound=Model)
T = TypeVar("T")


async def parse_body(sandbox: Sandbox, model: type[M], raw: bytes) -> M:
    """`raw` as a `model`. Raises DocumentRefused, or CheckerUnavailable where no child process can be started."""
    if len(raw) <= SMALL_BODY_BYTES:
        return parse_document(model, raw)
    await _call(sandbox, _CHECK_BODY, {"model": model.__name__}, raw)
    # With 50,000 values each of these steps, and the next of the caller, is a fifth of what a loop may stand still.
    document = await in_steps(orjson.loads(raw))
    return await in_steps(validate_document(model, document))


async def parse_json(sandbox: Sandbox, raw: bytes, check: str | None = None) -> Any:
    """Any JSON text. A large one is checked by the function `check` in a child process. Raises as `parse_body` does."""
    if len(raw) <= SMALL_BODY_BYTES:
        return load_json(raw)
    await _call(sandbox, check or _CHECK_BODY, {"model": None}, raw)
    return await in_steps(orjson.loads(raw))


async def parse_form(sandbox: Sandbox, raw: bytes) -> dict[str, str]:
    """The fields of a form, the first value of each. Raises ProblemError (400), CheckerUnavailable."""
    try:
        if len(raw) <= SMALL_BODY_BYTES:
            return read_form_here(None, raw)
        return await _call(sandbox, "schemas.body_check:read_form", None, raw)
    except (InputRefused, DocumentRefused):
        raise ProblemError(400, "form_invalid", "This is not what the form sends.") from None


async def in_steps(made: T) -> T:
    """`made`, after everything else that waits for the loop has had its turn."""
    await asyncio.sleep(0)
    return made


async def _call(sandbox: Sandbox, name: str, argument: object, raw: bytes) -> Any:
    try:
        return await sandbox.call(name, argument, raw, deadline_seconds=JUDGING_SECONDS)
    except InputRefused as refusal:
        if refusal.data is None:
            raise
        raise refusal_from_child(refusal.data) from None
    except (SandboxTimedOut, SandboxCrashed) as failure:
        raise DocumentRefused([FieldProblem("too_expensive", "", str(failure))]) from None
    except SandboxFailed as failure:
        raise CheckerUnavailable(str(failure)) from None
