"""The scripts of `tools/` that verify files without flexrun."""

from __future__ import annotations

import sys
from asyncio.subprocess import PIPE, create_subprocess_exec

from tests.support.processes import ROOT


async def offline(script: str, *arguments: str) -> tuple[int, str]:
    """A script of tools/, in a Python without our packages."""
    process = await create_subprocess_exec(
        sys.executable, "-I", "-S", str(ROOT / "tools" / script), *arguments, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, (out + err).decode()
