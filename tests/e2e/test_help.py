"""The help of every command: what a newcomer needs is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from flexrun.cli import app
from tests.support.processes import ROOT, clean_environment

WITHOUT_JSON = {"up", "gateway", "planner", "executor", "example"}
"""Commands that serve and print no document, and the one that prints an envelope, which is JSON."""

_EXAMPLE = re.compile(r"xample: (?:[A-Z_]+=\S+ )?flexrun (.+)")


def _commands(command: Any, *words: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words), command
        return
    for name, each in below.items():
        yield from _commands(each, *words, name)


COMMANDS = dict(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_has_an_example_of_itself(name: str) -> None:
    command = COMMANDS[name]
    text = f"{command.help or ''}\n{command.epilog or ''}"
    assert (command.help or "").strip()
    found = _EXAMPLE.findall(text)
    assert found, f"{name}: {text}"
    for example in found:
        assert f"{example} ".startswith(f"{name} ")
        # Flags that there are not, and arguments that are missing, are refused here.
        command.make_context(name, shlex.split(example.removeprefix(name)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_prints_does_so_as_json_when_asked(name: str) -> None:
    flags = {flag for each in COMMANDS[name].params for flag in each.opts}
    assert "--json" in flags or name in WITHOUT_JSON


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_says_what_it_is(name: str) -> None:
    for each in COMMANDS[name].params:
        if getattr(each, "opts", [""])[0].startswith("--"):
            assert getattr(each, "help", None), f"{name} {each.name}"


def _completed(words: str) -> list[str]:
    """What bash is offered for the last of these words."""
    asked = {
        "_FLEXRUN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "flexrun"],
        env=clean_environment() | asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout.split()


def test_a_shell_completes_commands_and_flags() -> None:
    assert _completed("flexrun work re") == ["release"]
    assert "--dry-run" in _completed("flexrun work release --dr")
