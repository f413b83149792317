"""The folder that an embedded Postgres keeps its data in: one owner at a time, and nothing left of an earlier one.

<data>/flexrun.lock      locked (flock) by the owner, holding its process id
<data>/postgres/         the cluster
<data>/postgres.log      Postgres's log
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from flexrun.embedded.account import Account
from flexrun.embedded.binaries import PostgresBinaries
from flexrun.embedded.errors import DataFolderInUseError, EmbeddedPostgresError
from sandbox.environment import child_environment

SUPERUSER = "flexrun"
_TAKEOVER_SECONDS = 20
_LONG_LOG_BYTES = 10_000_000


class DataFolder:
    """One data folder, owned by at most one process."""

    def __init__(self, path: Path, account: Account | None, owner_pid: int | None = None) -> None:
        self._owner_pid = owner_pid or os.getpid()
        self.path = path.expanduser().absolute()
        self.account = account
        self._lock_file: int | None = None

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self.path / "postgres"

    @property
    def log_path(self) -> Path:
        return self.path / "postgres.log"

    @property
    def major(self) -> int | None:
        """The Postgres major version that wrote the cluster; None before there is one."""
        try:
            return int((self.cluster / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def acquire(self) -> None:
        """Make the folder if need be and become its owner.

        Raises DataFolderInUseError naming the present owner, EmbeddedPostgresError when the folder cannot be used.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.account:
                self._open_passage(self.account)
            lock_file = os.open(self.path / "flexrun.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot use the data folder {self.path}: {error.strerror}; choose another with --data"
            ) from error
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(lock_file, 20).decode().strip() or "unknown"
            os.close(lock_file)
            raise DataFolderInUseError(
                f"the data folder {self.path} is in use by process {owner}; stop that one, or choose another "
                "folder with --data"
            ) from error
        os.ftruncate(lock_file, 0)
        os.write(lock_file, f"{self._owner_pid}\n".encode())
        self._lock_file = lock_file

    def release(self) -> None:
        """Unlock the folder for the next owner."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _open_passage(self, account: Account) -> None:
        """Let the account that runs Postgres enter a new folder; change nothing else.

        The folder stays root's, so that only the cluster belongs to that account.
        """
        if not any(self.path.iterdir()):
            self.path.chmod(0o711)
        if closed := account.first_closed_folder(self.path):
            raise EmbeddedPostgresError(
                f"as root, Postgres runs as the account {account.name}, which may not enter {closed}; "
                "choose a folder that it can reach, for example --data /var/lib/flexrun"
            )

    def initialise(self, binaries: PostgresBinaries) -> None:
        """Make the cluster unless there is one. Blocks for a second; safe to repeat after being cut short."""
        if self.major is not None:
            return
        building = self.path / "postgres.new"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        if self.account:
            os.chown(building, self.account.uid, self.account.gid)
        run_initdb(binaries, building, self.account)
        building.rename(self.cluster)

    def shorten_log(self) -> None:
        """Rename a log that has grown long, replacing the one before it."""
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > _LONG_LOG_BYTES:
                self.log_path.replace(self.path / "postgres.log.old")

    def evict_leftovers(self) -> None:
        """End a Postgres that a killed owner left running, and remove a pid file that would block the next.

        Call it as the owner. Blocks until the other one is gone.
        """
        pid_file = self.cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return
        except ValueError:  # cut short while it was written
            pid_file.unlink(missing_ok=True)
            return
        process = self._postmaster(pid)
        if process is not None:
            _end(process)
        elif psutil.pid_exists(pid):
            # Postgres detects a dead pid, but takes a zombie or another program with that pid for its own.
            pid_file.unlink(missing_ok=True)

    def _postmaster(self, pid: int) -> psutil.Process | None:
        """The live postmaster of this cluster with that pid; None where the pid is something else."""
        try:
            process = psutil.Process(pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            ours = process.name() == "postgres" and Path(process.cwd()) == self.cluster.resolve()
        except psutil.Error:
            return None
        return process if alive and ours else None


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for number in (signal.SIGINT, signal.SIGQUIT):
            process.send_signal(number)
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(_TAKEOVER_SECONDS)
                return
        raise EmbeddedPostgresError(
            f"a Postgres left behind (process {process.pid}) does not end; stop it by hand"
        )


def run_initdb(binaries: PostgresBinaries, cluster: Path, account: Account | None) -> None:
    """Make a cluster in the empty folder `cluster`, owned by `account`. Raises EmbeddedPostgresError."""
    done = subprocess.run(
        [binaries.initdb, "--pgdata", str(cluster), "--username", SUPERUSER, "--encoding=UTF8", "--locale=C",
         "--auth=trust", "--no-instructions"],
        user=account.uid if account else None, group=account.gid if account else None,
        extra_groups=() if account else None,
        cwd="/", env=server_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def server_environment() -> dict[str, str]:
    """What Postgres needs to start: no secret of flexrun, nothing that redirects it, a locale that it has."""
    return child_environment(LC_ALL="C")
