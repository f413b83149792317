"""A release after this one: a copy of the checkout with one migration more."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from eventstore.migrate import migrations
from flexrun import __version__
from tests.support.ports import free_port
from tests.support.processes import ROOT, FlexrunProcess, Setting

PACKAGES = (
    "flexrun", "gateway", "planner", "executor", "webhooks", "outbound", "registry", "broker", "eventstore", "runs",
    "contracts", "schemas", "sandbox", "telemetry", "examples",
)  # fmt: skip
VERSION = "99.0.0"


class NextRelease:
    """The release in `folder`; `script` is its migration, whose name is `migration`."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        for name in PACKAGES:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        module = folder / "flexrun" / "__init__.py"
        module.write_text(module.read_text().replace(__version__, VERSION))
        self.migration = f"{migrations()[-1].number + 1:04}_next"
        (folder / "eventstore" / "migrations" / f"{self.migration}.sql").write_text(script)

    def process(self, setting: Setting, role: str, log_folder: Path) -> FlexrunProcess:
        """A process of this release, not started yet."""
        arguments = [role, *(["--port", str(free_port())] if role == "gateway" else [])]
        return self._process(f"next-{role}", arguments, setting, log_folder)

    async def run(self, setting: Setting, arguments: Sequence[str], log_folder: Path) -> tuple[int, str]:
        """A command of this release: its status, and what it said."""
        process = self._process("-".join(["next", *arguments]), arguments, setting, log_folder)
        process.launch()
        return await process.ended(), process.last_words()

    def _process(
        self, name: str, arguments: Sequence[str], setting: Setting, log_folder: Path
    ) -> FlexrunProcess:
        environment = {**setting.environment(), "PYTHONPATH": str(self.folder)}
        return FlexrunProcess(name, arguments, environment, log_folder, fresh=True)
