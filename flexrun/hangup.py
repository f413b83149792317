"""What SIGHUP means to this process: stop, or read settings again.

A terminal that closes sends SIGHUP to what was started in it, which is to stop then. A process without a controlling
terminal (of systemd, of a container, of setsid) can only get it from an operator, who means that settings are to be
read again. Under nohup a process must not stop when the terminal closes; there it reads them again, too.
"""

from __future__ import annotations

import os
import signal
from functools import cache


@cache
def hangup_reloads() -> bool:
    """Whether SIGHUP has this process read its settings again; asked first before any handler is set."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return True
    return False
