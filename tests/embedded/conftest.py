"""Data folders that every account on the machine can get to, and the accounts to try."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flexrun.embedded.account import Account, server_account
from tests.support.embedded_owner import python_for


def accounts() -> list[Account | None]:
    """Whoever runs the tests, and for root an ordinary user as well, if this checkout is open to one."""
    ordinary = server_account(("nobody",))
    return [None, ordinary] if ordinary and python_for(ordinary) else [None]


@pytest.fixture(params=accounts(), ids=lambda account: account.name if account else "ourselves")
def account(request: pytest.FixtureRequest) -> Account | None:
    """Each account to own an embedded Postgres; None for the one the tests run as."""
    return request.param


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder open to everybody, below nothing that is closed (pytest's own temporary folders are)."""
    folder = Path(tempfile.mkdtemp(prefix="flexrun test ", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
