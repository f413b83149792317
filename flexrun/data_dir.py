"""Where an engine keeps its data."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """The default data folder: `$XDG_DATA_HOME/flexrun`, `~/.local/share/flexrun`.

    For root it is /var/lib/flexrun: the account that runs Postgres cannot enter root's home.
    """
    if chosen := os.environ.get("XDG_DATA_HOME"):
        return Path(chosen) / "flexrun"
    if os.geteuid() == 0:
        return Path("/var/lib/flexrun")
    return Path.home() / ".local" / "share" / "flexrun"
