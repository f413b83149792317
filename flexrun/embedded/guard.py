"""A process between an owner and a server that must not outlive it. Run as a script; standard library only.

    python -I -S guard.py [--user UID:GID] [--stop-signal NAME] [--grace SECONDS] [--scratch DIR] -- COMMAND

The guard starts COMMAND in a session of its own (so a Ctrl-C for the owner is not one for the server) and
writes the server's process id as one line to stdout. When the owner writes a line to the guard's stdin or is
gone, by any signal, or when the guard gets SIGTERM, it sends the stop signal, after the grace period
SIGQUIT, then SIGKILL. On Linux it also adopts and ends what the server leaves behind (RabbitMQ's epmd), and the
server is told to stop if the guard itself is killed. If the owner is gone, the scratch folder is removed. The
exit status is the server's.
"""

import argparse
import ctypes
import os
import select
import shutil
import signal
import sys
import time

_OWNER_CHECK_SECONDS = 0.5
_LAST_WORD_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _drop_privileges(user: str) -> None:
    uid, gid = (int(part) for part in user.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _launch(command: list[str], stop_signal: signal.Signals) -> int:
    guard = os.getpid()
    child = os.fork()
    if child:
        return child
    os.setsid()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Set after the change of user, which clears it, and checked against a guard that died in between.
    _prctl(_PR_SET_PDEATHSIG, stop_signal)
    if os.getppid() != guard:
        os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    try:
        os.execv(command[0], command)  # noqa: S606 - a list of arguments from our own code, no shell
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error}\n".encode())
        os._exit(127)


class Guard:
    """One server and the three reasons to end it: it exited, the owner is gone, we were told to."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.owner_gone = False
        self.told_to_stop = False
        self.server = 0
        self._status: int | None = None
        self.wake, wake_sender = os.pipe()
        os.set_blocking(wake_sender, False)
        signal.set_wakeup_fd(wake_sender, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._a_child_ended)
        signal.signal(signal.SIGTERM, self._tell_to_stop)

    def _a_child_ended(self, *_: object) -> None:
        """Nothing to do: the wake-up pipe has been written to."""

    def _tell_to_stop(self, *_: object) -> None:
        self.told_to_stop = True

    def launch(self, command: list[str], stop_signal: signal.Signals) -> None:
        """Start the server and tell the owner its process id."""
        self.server = _launch(command, stop_signal)
        os.write(1, f"{self.server}\n".encode())

    def status(self) -> int | None:
        """The server's exit status, reaping other ended children on the way."""
        while self._status is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == self.server:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait_for_reason(self) -> None:
        """Return when the server has exited or must be stopped."""
        while self.status() is None and not self.told_to_stop and not self.owner_gone:
            self._listen(_OWNER_CHECK_SECONDS)

    def owner_left_us(self) -> bool:
        """Whether the owner ended without telling the guard to stop."""
        if not self.told_to_stop and not self.owner_gone:
            self._listen(0)
        return self.owner_gone

    def _listen(self, timeout_seconds: float) -> None:
        ready = select.select([0, self.wake], [], [], timeout_seconds)[0]
        if self.wake in ready:
            os.read(self.wake, 512)
        if 0 in ready and os.read(0, 512):
            self.told_to_stop = True
        elif 0 in ready or os.getppid() != self.owner:
            # The parent is checked as well: an owner that forked leaves its end of the pipe open when it dies.
            self.owner_gone = True

    def stop(self, stop_signal: signal.Signals, grace_seconds: float) -> None:
        """Send the stop signal, after the grace period SIGQUIT, then SIGKILL."""
        for number, patience_seconds in (
            (stop_signal, grace_seconds),
            (signal.SIGQUIT, _LAST_WORD_SECONDS),
            (signal.SIGKILL, _LAST_WORD_SECONDS),
        ):
            if self.status() is not None:
                return
            os.kill(self.server, number)
            deadline = time.monotonic() + patience_seconds
            while self.status() is None and time.monotonic() < deadline:
                if select.select([self.wake], [], [], 0.05)[0]:
                    os.read(self.wake, 512)


def _end_left_behind() -> None:
    """Kill the processes that the server started and that outlived it, children of the guard by now."""
    deadline = time.monotonic() + _LAST_WORD_SECONDS
    while time.monotonic() < deadline:
        for child in _children():
            os.kill(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def _children() -> list[int]:
    # Plain system calls: by now this account may not be able to read the standard library's other modules.
    try:
        listing = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    except OSError:
        return []
    try:
        return [int(pid) for pid in os.read(listing, 65536).split()]
    finally:
        os.close(listing)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user")
    parser.add_argument("--stop-signal", default="SIGTERM")
    parser.add_argument("--grace", type=float, default=10)
    parser.add_argument("--scratch")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main() -> int:
    """Start the server, stay until it ends, return its status."""
    arguments = _arguments()
    stop_signal = signal.Signals[arguments.stop_signal]
    owner = os.getppid()
    if arguments.user:
        _drop_privileges(arguments.user)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    guard = Guard(owner)
    guard.launch(arguments.command, stop_signal)
    guard.wait_for_reason()
    guard.stop(stop_signal, arguments.grace)
    _end_left_behind()
    if arguments.scratch and guard.owner_left_us():
        shutil.rmtree(arguments.scratch, ignore_errors=True)
    status = guard.status() or 0
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
