"""What our child processes get to know of our environment: only what they need to start.

Postgres runs as another account, and checkers handle hostile input; whoever may look at such a process may read its
environment (`/proc/PID/environ`), so no setting of ours is in it.
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
    """The variables of the allow-list that we have, and `more`, which wins."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | more
