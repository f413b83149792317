"""`flexrun up` and `flexrun demo`: the whole engine in one process, on its embedded Postgres."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import aiohttp
import psutil
import pytest

from flexrun.secrets import SECRETS
from flexrun.settings import Settings
from tests.support.cli import run, running
from tests.support.followers import API
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, clean_environment
from tests.support.submitting import delivered, get_json, stream_run
from tests.support.waiting import eventually

STREAMS = 30


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a space in its name, open to the account that runs Postgres where the tests are root's."""
    folder = Path(tempfile.mkdtemp(prefix="flexrun e2e ", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def engine(place: Path) -> AsyncIterator[FlexrunProcess]:
    """`flexrun up` on the data folder `place / "data"`, not started yet."""
    process = _up(place, "up")
    yield process
    await process.stop()


def _up(place: Path, name: str) -> FlexrunProcess:
    arguments = ["up", "--port", str(free_port()), "--data", str(place / "data")]
    environment = clean_environment() | {"FLEXRUN_LEASE_SECONDS": "2"}
    return FlexrunProcess(name, arguments, environment, place, fresh=True)


async def test_the_address_is_printed_once_it_is_ready_and_a_second_start_finds_the_runs(
    engine: FlexrunProcess, http: aiohttp.ClientSession
) -> None:
    await engine.start()
    ready = await get_json(http, f"{engine.url}/readyz")
    assert (ready["status"], ready["database"], ready["broker"]) == ("ready", "ok", "ok")
    done = await stream_run(http, engine.url, example("linkedin-variants"))
    asked = await stream_run(http, engine.url, example("linkedin-approval"))
    assert await engine.stop() == 0

    await engine.start()
    run_id = done[0]["runId"]
    shown = await get_json(http, f"{engine.url}{API}/runs/{run_id}/events")
    assert (shown["events"], shown["complete"]) == (done, True)
    run_id = asked[0]["runId"]
    assert (await get_json(http, f"{engine.url}{API}/runs/{run_id}"))["status"] == "awaiting_hitl"
    approved = await run("hitl", "approve", run_id, "--url", engine.url)
    assert approved.status == 0, approved.err
    followed = await run("attach", run_id, "--url", engine.url)
    delivered(example("linkedin-approval"), followed.frames)


async def test_a_second_engine_on_the_same_data_is_refused_and_the_first_one_does_not_notice(
    engine: FlexrunProcess, http: aiohttp.ClientSession, place: Path
) -> None:
    await engine.start()
    second = await run("up", "--port", "0", "--data", str(place / "data"))
    assert second.status == 2
    assert f"is in use by process {engine.pid}" in second.err
    assert "Traceback" not in second.err
    delivered(example("linkedin-variants"), await stream_run(http, engine.url, example("linkedin-variants")))


async def test_sigterm_ends_it_within_seconds_and_open_streams_in_good_order(
    engine: FlexrunProcess, http: aiohttp.ClientSession
) -> None:
    await engine.start()
    asked = await stream_run(http, engine.url, example("linkedin-approval"))
    url = f"{engine.url}{API}/runs/{asked[0]['runId']}/events"
    headers = {"Accept": "text/event-stream", "Last-Event-ID": asked[-1]["id"]}
    streams = [await http.get(url, headers=headers) for _ in range(STREAMS)]
    reading = asyncio.gather(*(stream.read() for stream in streams))
    children = psutil.Process(engine.pid).children(recursive=True)

    began = monotonic()
    status = await engine.stop()
    seconds = monotonic() - began
    assert status == 0, engine.last_words()
    assert seconds < 8, engine.last_words()
    # Each stream ended properly; a broken connection would raise.
    assert all(text.startswith(b"retry: ") for text in await reading)
    await eventually(lambda: not any(child.is_running() for child in children))


async def test_after_kill_9_everything_goes_on_and_whoever_is_attached_misses_nothing(
    engine: FlexrunProcess, http: aiohttp.ClientSession
) -> None:
    await engine.start()
    asked = (await stream_run(http, engine.url, example("linkedin-approval")))[-1]
    async with running("attach", asked["runId"], "--url", engine.url) as attached:
        await attached.until_frame("hitl_request")
        runs = [await _accepted(http, engine.url, example("linkedin-variants")) for _ in range(20)]
        children = psutil.Process(engine.pid).children(recursive=True)
        assert any("postgres" in child.name() for child in children)
        await engine.kill()
        await eventually(lambda: not any(child.is_running() for child in children), 20)

        await engine.start()
        decided = await run("hitl", "approve", asked["payload"]["requestId"], "--url", engine.url)
        assert decided.status == 0, decided.err
        done = await attached.done()
    assert [int(frame["id"]) for frame in done.frames] == list(range(1, len(done.frames) + 1))
    delivered(example("linkedin-approval"), done.frames)
    for run_id in runs:
        await eventually(lambda run_id=run_id: _is_over(http, engine.url, run_id), 40)


async def _accepted(http: aiohttp.ClientSession, gateway: str, envelope: object) -> str:
    async with http.post(f"{gateway}{API}/runs", json=envelope) as answer:
        assert answer.status == 202
        return (await answer.json())["runId"]


async def _is_over(http: aiohttp.ClientSession, gateway: str, run_id: str) -> bool:
    return (await get_json(http, f"{gateway}{API}/runs/{run_id}"))["status"] == "completed"


async def _no_folder_stays(before: set[Path]) -> None:
    """None of the demo folders that are there now and were not before: those of other tests go soon."""
    new = set(Path("/tmp").glob("flexrun-demo-*")) - before
    await eventually(lambda: not any(folder.exists() for folder in new), 60)


async def test_the_demo_runs_from_nothing_to_the_output_and_leaves_nothing() -> None:
    before = set(Path("/tmp").glob("flexrun-demo-*"))
    done = await run("demo", "--json")
    assert done.status == 0, done.err
    delivered(example("linkedin-variants"), done.frames)
    await _no_folder_stays(before)


async def test_the_demo_is_its_own_world_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = (
        "PGHOST",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGPASSWORD",
        "PGSERVICE",
        "PGOPTIONS",
        "PGSSLMODE",
    )
    for name in variables:
        monkeypatch.setenv(name, "elsewhere")
    # None of them is a value that its setting can take, so that reading any of them would be refused.
    settings = {name.upper(): "" for name in Settings.model_fields}
    settings |= {f"{name.upper()}_FILE": "/nowhere" for name in SECRETS}
    done = await run("demo", "--json", settings=settings | {"PUBLC_URL": "mistyped", "TOKENS": "only=ann"})
    assert done.status == 0, done.err
    delivered(example("linkedin-variants"), done.frames)


async def test_ctrl_c_ends_a_demo_and_all_that_it_started() -> None:
    before = set(Path("/tmp").glob("flexrun-demo-*"))
    async with running("demo", "examples/linkedin-approval.json", "--json") as demo:
        await demo.until_frame("hitl_request")
        children = psutil.Process(demo.process.pid).children(recursive=True)
        demo.interrupt()
        done = await demo.done()
    assert done.status == 130
    assert "Traceback" not in done.err
    assert "goes on" not in done.err, "nothing goes on after a demo"
    await eventually(lambda: not any(child.is_running() for child in children), 20)
    await _no_folder_stays(before)
