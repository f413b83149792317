"""Installing what the tests need from Debian's packages, where that is possible."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_POLICY = Path("/usr/sbin/policy-rc.d")


def can_install() -> bool:
    """Whether this is root on a machine with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str) -> bool:
    """Install a Debian package without starting its service; whether that worked (the reason goes to stderr)."""
    print(f"tests: installing {package} with apt-get", file=sys.stderr, flush=True)  # noqa: T201 - progress of a slow step
    with _services_held_back():
        done = _apt("install", "--no-install-recommends", package)
        if done.returncode != 0:
            _apt("update")
            done = _apt("install", "--no-install-recommends", package)
    if done.returncode != 0:
        print(f"tests: apt-get failed: {done.stderr[-600:]}", file=sys.stderr, flush=True)  # noqa: T201 - as above
    return done.returncode == 0


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=180", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def _services_held_back() -> Iterator[None]:
    """Debian starts a service as soon as it is installed, unless this file forbids it."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
