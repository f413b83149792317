"""Processes whose clock is wrong: libfaketime under a real interpreter, its monotonic clock left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support import packages
from tests.support.processes import FlexrunProcess, Setting


def available() -> bool:
    """Whether libfaketime is installed, or could be."""
    if not _installed() and packages.can_install():
        packages.install("libfaketime")
    return bool(_installed())


def _library() -> Path:
    assert available(), "this test needs libfaketime (Debian's package of this name)"
    return _installed()[0]


def _installed() -> list[Path]:
    return sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))


class WrongClock:
    """A clock that is `ahead_seconds` ahead (negative: behind), which may jump while processes run."""

    def __init__(self, folder: Path, ahead_seconds: float = 0) -> None:
        self._file = folder / "faketime"
        self.set(ahead_seconds)

    def set(self, ahead_seconds: float) -> None:
        """Jump. Processes see it within a second."""
        self._file.write_text(f"{ahead_seconds:+}\n")
        self._file.chmod(0o644)

    def process(
        self,
        setting: Setting,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        module: str = "flexrun",
    ) -> FlexrunProcess:
        """A process of flexrun with this clock, not started yet."""
        environment = setting.environment() | {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        return FlexrunProcess(name, arguments, environment, folder, module=module, fresh=True)
