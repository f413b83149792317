"""Prompt templates of models, looked at when they are registered: a mistake is told to who makes it, not to a run."""

from __future__ import annotations

from sandbox.errors import SandboxCrashed, SandboxTimedOut
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor
from schemas.homes import ModelHome
from schemas.refusal import FieldProblem

_CHECK = "executor.homes.model_prompt:check"
"""What renders templates also reads them, in the same kind of child."""


async def prompt_problems(descriptor: CapabilityDescriptor, sandbox: Sandbox) -> list[FieldProblem]:
    """The templates that are no Jinja2, each at its place in the descriptor. Raises SandboxUnavailable."""
    home = descriptor.home
    if not isinstance(home, ModelHome):
        return []
    templates = {"prompt": home.prompt} | ({} if home.system is None else {"system": home.system})
    try:
        found: dict[str, str] = await sandbox.call(_CHECK, templates)
    except (SandboxTimedOut, SandboxCrashed) as failure:
        return [FieldProblem("prompt_invalid", "/home/prompt", f"The templates cannot be read: {failure}")]
    return [FieldProblem("prompt_invalid", f"/home/{name}", text) for name, text in found.items()]
