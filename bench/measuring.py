"""What the commands that measure one thing have in common: a folder, a loop, and figures as JSON or as a table."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
import typer
import uvloop
from rich.console import Console

from bench.engines import KINDS, EngineKind
from flexrun.logs import configure_logs

ENGINES = f"one of {', '.join(kind.name for kind in KINDS)}"


def engine_kind(name: str) -> EngineKind:
    """The way of running flexrun that has this name. Raises typer.BadParameter."""
    found = next((kind for kind in KINDS if kind.name == name), None)
    if found is None:
        raise typer.BadParameter(f"{name} is none of {', '.join(kind.name for kind in KINDS)}")
    return found


def measure(
    name: str,
    measured: Callable[[Path], Coroutine[Any, Any, dict[str, Any]]],
    show: Callable[[Console, dict[str, Any]], None],
    *,
    as_json: bool,
) -> dict[str, Any]:
    """The figures of `measured`, which is called with a new folder; they are shown."""
    configure_logs("warning")
    with (
        tempfile.TemporaryDirectory(prefix=f"flexrun-{name}-", ignore_cleanup_errors=True) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        # As root, the servers run as another account, which has to pass through.
        Path(folder).chmod(0o755)
        figures = runner.run(measured(Path(folder)))
    if as_json:
        sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        show(Console(), figures)
    return figures
