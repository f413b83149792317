"""Postgres refuses to run as root: the account that runs it instead, and what that account can reach."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flexrun.embedded.errors import EmbeddedPostgresError
from sandbox.environment import child_environment


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account that runs a server for root."""

    name: str
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may pass through `folder`; the kernel is asked, no modes guessed."""
        return self.runs(["test", "-x", str(folder)])

    def runs(self, command: list[str]) -> bool:
        """Whether `command` succeeds as this account."""
        try:
            done = subprocess.run(
                command,
                user=self.uid,
                group=self.gid,
                extra_groups=(),
                cwd="/",
                env=child_environment(),
                capture_output=True,
                check=False,
            )
        except OSError:
            return False
        return done.returncode == 0

    def first_closed_folder(self, path: Path) -> Path | None:
        """The first folder on the way to `path` (itself included) that this account may not enter."""
        return next(
            (folder for folder in (*reversed(path.parents), path) if not self.can_enter(folder)), None
        )


def server_account(preferred: tuple[str, ...] = ("postgres", "nobody")) -> Account | None:
    """The account to run a server as; None (the current account) unless this process is root's."""
    if os.geteuid() != 0:
        return None
    for name in preferred:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"running as root, and none of the accounts {', '.join(preferred)} exists to run a server as; "
        "create one, start flexrun as an ordinary user, or give it a database with --database"
    )
