"""A process as the image of deploy/ has it: an account without rights, no capabilities, two writable folders at most.

Bubblewrap gives it the whole file system read-only, an empty /tmp, and one folder of its own where it is to have one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from flexrun.embedded.launch import GuardedServer
from tests.support import packages
from tests.support.processes import FlexrunProcess
from tests.support.waiting import DEADLINE_SECONDS

DATA = "/mnt"
UID = 10001
_DEPENDENCIES = "/tmp/dependencies"


def bubblewrap() -> str:
    """Its path. Raises RuntimeError where there is none and none can be installed."""
    for attempt in range(2):
        if found := shutil.which("bwrap"):
            return found
        if attempt == 0 and packages.can_install():
            packages.install("bubblewrap")
    raise RuntimeError("Bubblewrap is not installed, and could not be; install the package bubblewrap")


def use_dependencies_of_the_tests(environment: Path) -> None:
    """Have the virtual environment in this folder find its dependencies where a contained process has them."""
    (pointer,) = environment.rglob("dependencies.pth")
    pointer.write_text(f"{_DEPENDENCIES}\n")


def _reachable(folder: Path) -> list[str]:
    """Bubblewrap's words for this folder behind one that is closed to others, such as a home; none where it is open."""
    above = [each for each in reversed(folder.parents) if each != Path("/")]
    closed = next((each for each in above if not each.stat().st_mode & 0o001), None)
    if closed is None:
        return []
    between = [each for each in above if closed in each.parents]
    words = ["--perms", "0755", "--tmpfs", str(closed)]
    for each in between:
        words += ["--perms", "0755", "--dir", str(each)]
    return [*words, "--ro-bind", str(folder), str(folder)]


class ContainedProcess(FlexrunProcess):
    """`flexrun …` of an installed wheel. `data` is its own folder on this machine, `DATA` in its eyes.

    It may read the folder in which its environment is.
    """

    def __init__(
        self,
        command: Path,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        folder: Path,
        data: Path | None = None,
    ) -> None:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **{f"FLEXRUN_{name}": value for name, value in settings.items()},
        }
        super().__init__(arguments[0], arguments, environment, folder)
        self._line = [str(command), *arguments]
        self._data = data
        self._place = command.parents[2]

    def launch(self) -> None:
        """Start it; see `ready`."""
        root = os.geteuid() == 0
        if self._data is not None and root:
            os.chown(self._data, UID, UID)
        walls = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
        walls += ["--perms", "1777", "--tmpfs", "/tmp"]
        # What the empty /tmp would hide, or a folder above it keep from the account.
        walls += ["--ro-bind", str(self._place), str(self._place)]
        walls += ["--ro-bind", sysconfig.get_path("purelib"), _DEPENDENCIES]
        walls += _reachable(Path(sys.base_prefix))
        walls += ["--ro-bind", str(self._accounts()), "/etc/passwd"]
        if self._data is not None:
            walls += ["--bind", str(self._data), DATA]
        no_rights = ["setpriv", "--no-new-privs", "--inh-caps=-all"]
        if root:
            no_rights += [f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all"]
        self._server = GuardedServer.launch(
            [bubblewrap(), *walls, "--die-with-parent", "--chdir", "/", "--", *no_rights, *self._line],
            log_path=self.log_path,
            environment=self._environment,
        )

    def _accounts(self) -> Path:
        """As in the image, whose account has a name: initdb looks it up."""
        accounts = self._place / "passwd"
        accounts.write_text(f"root:x:0:0::/:/bin/sh\nflexrun:x:{UID}:{UID}::{DATA}:/usr/sbin/nologin\n")
        return accounts

    @property
    def pid(self) -> int:
        """The process itself, which Bubblewrap waits for."""
        (child,) = psutil.Process(super().pid).children()
        return child.pid

    async def stop(self) -> int:
        """SIGTERM, and wait until it is gone; the exit status."""
        if self._server is None or not self.running:
            return 0
        self.send(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._server.ended()
