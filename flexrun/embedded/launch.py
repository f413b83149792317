"""Starting a server under a guard, which ends it when this process ends. See guard.py."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from flexrun.embedded.account import Account

_GUARD = Path(__file__).with_name("guard.py")


class GuardedServer:
    """A running server and its guard. It ends on `stop`, or when this process ends for any reason."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stdin = cast("IO[bytes]", process.stdin)
        self._stdout = cast("IO[bytes]", process.stdout)
        first_line = self._stdout.readline()
        if not first_line:
            raise RuntimeError(
                f"the guard process ended with status {process.wait()} before it started a server"
            )
        self.pid = int(first_line)

    @classmethod
    def launch(
        cls,
        command: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str],
        account: Account | None = None,
        stop_signal: str = "SIGTERM",
        grace_seconds: float = 10,
        scratch: Path | None = None,
    ) -> "GuardedServer":
        """Start `command` (absolute path first), its output appended to `log_path`."""
        options = ["--stop-signal", stop_signal, "--grace", str(grace_seconds)]
        if account:
            options += ["--user", f"{account.uid}:{account.gid}"]
        if scratch:
            options += ["--scratch", str(scratch)]
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), *options, "--", *command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                cwd="/", env=dict(environment), start_new_session=True,
            )  # fmt: skip
        return cls(process)

    @property
    def exit_status(self) -> int | None:
        """None while it runs; the server's exit status (128 + n for signal n) afterwards."""
        return self._process.poll()

    async def ended(self) -> int:
        """Wait, without a thread, until server and guard are gone; the exit status."""
        if self._stdout.closed:  # waited for before
            return self.wait()
        loop = asyncio.get_running_loop()
        gone = loop.create_future()
        # The guard alone holds the other end of this pipe: it turns readable (empty) when the guard has gone.
        loop.add_reader(self._stdout, lambda: gone.done() or gone.set_result(None))
        try:
            await gone
        finally:
            loop.remove_reader(self._stdout)
        return self.wait()

    def request_stop(self) -> None:
        """Tell the guard to stop the server; returns at once."""
        if not self._stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._stdin.write(b"stop\n")
                self._stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                self._stdin.close()

    def wait(self) -> int:
        """Block until server and guard are gone; the exit status."""
        status = self._process.wait()
        self.request_stop()  # the guard is gone; this closes our end
        self._stdout.close()
        return status

    def kill(self) -> None:
        """SIGKILL the server itself, as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
