"""What a capability is told to do in each of its attempts, and what it saw; the same for every home.

It is kept in files, so that a capability in another process reads it too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

USAGE = {"inputTokens": 20, "outputTokens": 5}
"""What a capability that can say so has used in each attempt."""


@dataclass(frozen=True)
class Act:
    """One attempt: an error, a question, or an output; before that it may show half of it, or hang.

    `quotes` puts the secret that the call brought into the message of the error.
    """

    output: Any = None
    error: str | None = None
    retryable: bool = True
    quotes: bool = False
    question: str | None = None
    shows: bool = False
    hangs: bool = False


class Told:
    """The acts that are left, and a line for each call, cancellation and secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def forget(self) -> None:
        """Nothing was told, and nothing noted."""
        for path in self.folder.iterdir():
            path.unlink()

    def to(self, *acts: Act) -> None:
        """Do these, one in each call."""
        (self.folder / "acts").write_text(json.dumps([asdict(act) for act in acts]))

    def take(self, bundle: Any, secret: str | None = None) -> Act:
        """Note a call; what to do in it."""
        acts = json.loads((self.folder / "acts").read_text())
        self.note("bundles", bundle)
        self.note("secrets", secret)
        return Act(**acts[len(self.noted("bundles")) - 1])

    def note(self, name: str, what: Any = None) -> None:
        """Add a line."""
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    def noted(self, name: str) -> list[Any]:
        """The lines so far: `bundles`, `secrets`, `cancelled`."""
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def may_go_on(self) -> bool:
        """Whether an attempt that has shown half of its output may end."""
        return (self.folder / "go").exists()

    def go_on(self) -> None:
        """Let it end."""
        (self.folder / "go").touch()
