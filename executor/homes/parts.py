"""What the homes of one executor process share, and what is closed after it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from executor.homes.mcp_allowed import AllowedCommands
from sandbox.sandbox import Sandbox


@dataclass(slots=True)
class HomeParts:
    """The parts of the process that homes may use.

    A home that keeps connections or processes pushes what closes them onto `stack`, which the executor closes when its
    last attempt has ended.
    """

    sandbox: Sandbox
    mcp_commands: AllowedCommands = field(default_factory=AllowedCommands)
    allow_private: bool = False
    """Whether services may have addresses of this machine and network."""

    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
