"""What child processes of flexrun get of its environment: only what they need to start.

Postgres runs as another account, and checkers handle hostile input; a process that can inspect such a process can read
its environment (`/proc/PID/environ`), so no setting of flexrun is in it.
"""

from __future__ import annotations

import os

PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)


def child_environment(**more: str) -> dict[str, str]:
    """The variables of the allow-list that are set, and `more`, which takes precedence."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | more
