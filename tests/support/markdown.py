"""The examples of the documents, to be run word for word."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from collections.abc import Mapping

from tests.support.cli import Done
from tests.support.processes import ROOT, clean_environment
from tests.support.waiting import DEADLINE_SECONDS

ADDRESS = "http://127.0.0.1:8080"
"""The address of the documents' gateway."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## +(.+)$", re.MULTILINE)
_SECONDS = 2 * DEADLINE_SECONDS


def section(document: str, heading: str) -> str:
    """The text below a `##` heading of a document, up to the next one."""
    text = (ROOT / document).read_text()
    parts = _HEADING.split(text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert heading in found, f"{document} has no section {heading!r}, but {list(found)}"
    return found[heading]


def sections(document: str) -> list[str]:
    """The `##` headings of a document."""
    return _HEADING.findall((ROOT / document).read_text())


def commands(text: str) -> list[str]:
    """What a reader is asked to type: `$` lines of console blocks, all lines of sh blocks; comments are left out."""
    typed: list[str] = []
    for language, block in _FENCE.findall(text):
        joined = block.replace("\\\n", " ")
        if language == "console":
            typed += [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
        elif language == "sh":
            typed += [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [re.sub(r"\s+# .*$", "", line).rstrip() for line in typed]


def fenced(text: str, language: str) -> list[str]:
    """The contents of the code blocks in this language."""
    return [block for found, block in _FENCE.findall(text) if found == language]


def the_command(text: str, *words: str) -> str:
    """The one command with all these words in it."""
    found = [command for command in commands(text) if all(word in command for word in words)]
    assert len(found) == 1, f"{len(found)} commands have {words}: {found or commands(text)}"
    return found[0]


def as_typed(command: str, gateway: str, places: Mapping[str, str] | None = None) -> list[str]:
    """The shell that runs a command of the documents, with this gateway's address and real ids in place of RUN_ID …"""
    text = command.replace(ADDRESS, gateway).replace(
        ".venv/bin/flexrun", f"{shlex.quote(sys.executable)} -m flexrun"
    )
    for name, value in (places or {}).items():
        text = text.replace(name, value)
    return ["bash", "-euc", text]


async def type_it(
    command: str,
    gateway: str,
    places: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run a command of the documents to its end, in the root of the repository."""
    process = await asyncio.create_subprocess_exec(
        *as_typed(command, gateway, places),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**clean_environment(), "FLEXRUN_URL": gateway, **(variables or {})},
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Done(process.returncode or 0, out.decode(), err.decode())
