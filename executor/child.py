"""Computing, on the child's side of the sandbox. See `executor.computing`, which is the only caller."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import orjson

from executor.capability import CapabilityError
from executor.outputs import OutputRefused, as_json
from sandbox.errors import InputRefused
from schemas.json_text import MAX_OUTPUT_BYTES


def compute(argument: dict[str, Any], blob: bytes) -> bytes:
    """The output of `{"function": "module:name", "bundle"}` as JSON.

    Raises InputRefused with `{"code", "message", "retryable"}`.
    """
    try:
        kept = as_json(_function(argument["function"])(argument["bundle"]), MAX_OUTPUT_BYTES)
    except CapabilityError as error:
        failure = {"code": error.code, "message": error.message, "retryable": error.retryable}
        raise InputRefused(failure) from None
    except OutputRefused as refused:
        raise InputRefused({"code": refused.code, "message": refused.message, "retryable": False}) from None
    return orjson.dumps(kept)


@cache
def _function(name: str) -> Callable[[Any], Any]:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
