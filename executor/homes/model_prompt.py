"""Prompt templates, rendered in a child of the sandbox: a template and its bundle are a stranger's computation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sandbox.errors import InputRefused

RENDER = "executor.homes.model_prompt:render"
RENDER_SECONDS = 1.0
"""CPU time for the prompt and the system text of one attempt."""

MAX_PROMPT_CHARACTERS = 1_000_000

_MAX_REPEATED = MAX_PROMPT_CHARACTERS
_ABSENT: dict[str, Any] = {"previousErrors": [], "previousError": None, "answers": [], "facets": {}}
"""What a bundle has only in some attempts, so that a template may ask for it in each."""


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which a text or a list cannot be multiplied beyond what a prompt may have."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute an operator. Raises SecurityError for a result that is too large."""
        sizes = [_size(each) for each in (left, right) if isinstance(each, str | bytes | list | tuple)]
        counts = [each for each in (left, right) if isinstance(each, int)]
        if operator == "*" and sizes and counts and sizes[0] * counts[0] > _MAX_REPEATED:
            raise SecurityError(f"a text is repeated to more than {_MAX_REPEATED:,} characters")
        if operator == "**" and counts and max(map(abs, counts)) > 1_000:
            raise SecurityError("a power is too large")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% does not format texts here; use ~ or the filter format")
        return super().call_binop(context, operator, left, right)


def _size(value: Any) -> int:
    return len(value)


def _tojson(value: Any, indent: int | None = None) -> str:
    """JSON as a model reads it: not escaped for HTML, as Jinja2's own filter does."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment: Any = _Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters["tojson"] = _tojson
    environment.globals.pop("lipsum", None)
    return environment


@lru_cache(maxsize=64)
def _template(source: str) -> Template:
    return _environment().from_string(source)


def render(argument: dict[str, Any], _blob: bytes) -> dict[str, str]:
    """Called in the child: each of `{"templates": {name: source}, "bundle"}` as text, by its name.

    Raises InputRefused with `{"code", "message"}`.
    """
    bundle = {**_ABSENT, **argument["bundle"]}
    return {name: _rendered(name, source, bundle) for name, source in argument["templates"].items()}


def check(argument: dict[str, str], _blob: bytes) -> dict[str, str]:
    """Called in a child: what is wrong with each of these templates, by name; nothing of those that are well-formed."""
    return {name: text for name, source in argument.items() if (text := _objection(name, source))}


def _objection(name: str, source: str) -> str | None:
    try:
        _template(source)
    except TemplateSyntaxError as error:
        return _syntax(name, error)
    return None


def _rendered(name: str, source: str, bundle: dict[str, Any]) -> str:
    try:
        return _bounded(_template(source).generate(bundle), name)
    except TemplateSyntaxError as error:
        raise _refused("prompt_invalid", _syntax(name, error)) from None
    except TemplateError as error:
        raise _refused("prompt_invalid", f"the template '{name}' cannot be rendered: {error}") from None
    except (MemoryError, RecursionError, InputRefused):
        raise
    except Exception as error:  # noqa: BLE001 - a template may call anything of a text, list or number
        text = f"the template '{name}' cannot be rendered: {type(error).__name__}: {error}"
        raise _refused("prompt_invalid", text) from None


def _bounded(parts: Iterable[str], name: str) -> str:
    kept: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > MAX_PROMPT_CHARACTERS:
            text = f"the template '{name}' gives more than {MAX_PROMPT_CHARACTERS:,} characters"
            raise _refused("prompt_too_large", text)
        kept.append(part)
    return "".join(kept)


def _syntax(name: str, error: TemplateSyntaxError) -> str:
    return f"the template '{name}' is no Jinja2: line {error.lineno}: {error.message}"


def _refused(code: str, message: str) -> InputRefused:
    return InputRefused({"code": code, "message": message[:1_000]})
