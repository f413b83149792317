"""What all of them share: each call is noted in a file, and waits for another file.

A file outlives every process, so the calls of a capability are counted over all that were killed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FOLDER_VARIABLE = "HELD_FOLDER"
_LOOK_SECONDS = 0.02


class Steps:
    """The folder in which calls are noted, for the capabilities and for the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def from_environment(cls) -> Steps:
        """The folder that the test has named."""
        return cls(Path(os.environ[FOLDER_VARIABLE]))

    def note_call(self, name: str) -> None:
        """A call has begun."""
        with (self.folder / f"{name}.calls").open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")

    def calls(self, name: str) -> list[int]:
        """The process of each call that has begun."""
        path = self.folder / f"{name}.calls"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def may_go_on(self, name: str) -> bool:
        """Whether the test lets its calls end."""
        return (self.folder / f"{name}.go").exists()

    def let_go(self, *names: str) -> None:
        """Let all calls of these end, those that wait and those to come."""
        for name in names:
            (self.folder / f"{name}.go").touch()

    def take(self, name: str, text: str) -> dict[str, str]:
        """Note the call, wait, and give the text with the name of the step behind it."""
        self.note_call(name)
        while not self.may_go_on(name):
            time.sleep(_LOOK_SECONDS)
        return step(name, text)


def step(name: str, text: str) -> dict[str, str]:
    """What each of them gives."""
    return {"text": f"{text}, {name}"}
