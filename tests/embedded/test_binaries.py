"""Postgres programs are found in the stated order, and made reachable without opening anything that is closed."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flexrun.data_dir import default_data_dir
from flexrun.embedded import EmbeddedPostgresError, binaries
from flexrun.embedded.account import server_account
from flexrun.embedded.binaries import binaries_for, choose_binaries, inspect_binaries, wheel_binaries


@pytest.fixture
def closed_wheel() -> Iterator[Path]:
    """A copy of the wheel's installation below a folder that only we may enter."""
    closed = Path(tempfile.mkdtemp(prefix="flexrun-closed-", dir="/tmp"))
    original = next(wheel_binaries()).bin_dir.parent
    package = original.parent
    shutil.copytree(original, closed / package.name / original.name, symlinks=True)
    if (libraries := package.with_name(package.name + ".libs")).exists():
        shutil.copytree(libraries, closed / libraries.name)
    yield closed / package.name / original.name / "bin"
    shutil.rmtree(closed)


def test_binaries_that_are_closed_to_the_account_are_copied_and_nothing_is_opened(
    closed_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copies = Path(tempfile.mkdtemp(prefix="flexrun-copies-", dir="/tmp"))
    found = inspect_binaries(closed_wheel)
    account = server_account()
    assert found is not None
    try:
        reachable = [binaries_for(account, found, copies), binaries_for(account, found, copies)]
        assert reachable[0] == reachable[1]
        if account is None:
            assert reachable[0] == found
        else:
            assert reachable[0].bin_dir.is_relative_to(copies)
            assert account.runs([reachable[0].initdb, "--version"])
            assert reachable[0].bin_dir.stat().st_uid == 0
    finally:
        shutil.rmtree(copies)
    assert stat.S_IMODE(closed_wheel.parents[2].stat().st_mode) == 0o700


def test_the_systems_postgres_comes_before_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = next(wheel_binaries())
    system = binaries.PostgresBinaries(Path("/usr/lib/postgresql/17/bin"), "17.1")
    monkeypatch.setattr(binaries, "system_binaries", lambda: iter([system]))
    assert choose_binaries(None) == system
    assert choose_binaries(17) == system
    assert choose_binaries(wheel.major) == wheel
    monkeypatch.setattr(binaries, "system_binaries", lambda: iter([]))
    assert choose_binaries(None) == wheel


def test_a_machine_without_any_postgres_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "system_binaries", lambda: iter([]))
    monkeypatch.setattr(binaries, "wheel_binaries", lambda: iter([]))
    with pytest.raises(
        EmbeddedPostgresError, match="install PostgreSQL, or give flexrun a database with --database"
    ):
        choose_binaries(None)


def test_a_folder_without_postgres_holds_none(tmp_path: Path) -> None:
    assert inspect_binaries(tmp_path) is None
    (tmp_path / "initdb").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    (tmp_path / "postgres").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "postgres").chmod(0o755)
    assert inspect_binaries(tmp_path) is None


def test_data_goes_where_the_desktop_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere/data")
    assert default_data_dir() == Path("/somewhere/data/flexrun")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data_dir().name == "flexrun"
