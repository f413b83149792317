"""`flexrun up` starts its engine again when it dies, and callers wait meanwhile."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, clean_environment
from tests.support.submitting import get_json


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="flexrun-e2e-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_an_engine_that_is_killed_is_started_again_and_a_caller_only_waits(
    place: Path, http: aiohttp.ClientSession
) -> None:
    arguments = ["up", "--port", str(free_port()), "--data", str(place / "data")]
    up = FlexrunProcess("up", arguments, clean_environment(), place, fresh=True)
    await up.start()
    try:
        # The first child owns the database, the second one is the engine.
        engine = psutil.Process(up.pid).children()[-1]
        engine.send_signal(signal.SIGKILL)
        ready = await get_json(http, f"{up.url}/readyz")
        assert ready["status"] == "ready"
        assert psutil.Process(up.pid).children()[-1].pid != engine.pid
        assert b"engine_ended" in up.log_path.read_bytes()
        assert psutil.Process(up.pid).is_running()
    finally:
        status = await up.stop()
    assert status == 0
