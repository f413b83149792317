"""`python -m flexrun`."""

import os
import sys
from pathlib import Path


def _leave_out_current_folder() -> None:
    """Take the current folder, which `python -m` puts first, out of the import path; a checkout stays in it.

    A `schemas.py` or `typer.py` of the user's would be run in the place of the real one.
    """
    first = sys.path[0] if sys.path else ""
    home = Path(__file__).resolve().parents[1]
    if not sys.flags.safe_path and first in ("", os.getcwd()) and Path(first).resolve() != home:  # noqa: PTH109 - a text
        del sys.path[0]


_leave_out_current_folder()

from flexrun.cli import app  # noqa: E402 - see above

app(prog_name="flexrun")
