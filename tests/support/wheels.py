"""The wheel as a user has it: built from the checkout, installed into an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.support.processes import ROOT


def build_wheel(folder: Path, project: Path = ROOT) -> Path:
    """Build the wheel of `project` into `folder`, offline; its path."""
    _run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=project)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_wheel(wheel: Path, folder: Path) -> Path:
    """A new environment in `folder` with this wheel, and the dependencies of the tests' own; its `flexrun` command."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    # A folder that is named in a .pth file is searched last, and the .pth files in it (our checkout) are not read.
    Path(found.stdout.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _run("-m", "pip", "--python", str(python), "install", "-qq", "--no-index", "--no-deps", str(wheel))
    return folder / "bin" / "flexrun"


def _run(*arguments: str, cwd: Path = ROOT) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=cwd)
