"""An installed wheel, and a checkout, in a folder whose files have the names of our modules."""

import asyncio
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from flexrun.embedded.launch import GuardedServer
from schemas.facets import FACETS
from tests.support.linkedin import EXAMPLES, example
from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, clean_environment
from tests.support.submitting import delivered
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.wheels import build_wheel, install_wheel

OURS = (
    "broker",
    "contracts",
    "eventstore",
    "executor",
    "flexrun",
    "gateway",
    "planner",
    "runs",
    "sandbox",
    "schemas",
    "webhooks",
)
OTHERS = ("aiohttp", "orjson", "pydantic", "rich", "structlog", "typer")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Path]:
    """The `flexrun` of an environment that has the wheel, open to the account that runs Postgres."""
    folder = Path(tempfile.mkdtemp(prefix="flexrun wheel ", dir="/tmp"))
    folder.chmod(0o755)
    yield install_wheel(wheel, folder / "venv")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder with a file for each of our packages and some others, which says so when it is run."""
    for name in (*OURS, *OTHERS):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the file {name}.py was run')\n")
    return tmp_path


def _environment() -> dict[str, str]:
    environment = clean_environment()
    del environment["PYTHONPATH"]
    return environment


async def _run(folder: Path, *command: str, given: bytes = b"") -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(3 * DEADLINE_SECONDS):
        out, err = await process.communicate(given)
    assert process.returncode == 0, err.decode()
    return out


def _sources(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.*") if path.is_file() and "__pycache__" not in path.parts]


def test_the_wheel_has_all_that_is_read_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    root = Path(__file__).parents[2]
    assert {str(path.relative_to(root)) for package in OURS for path in _sources(root / package)} <= names
    assert {f"schemas/catalogue/{name}.json" for name in FACETS} <= names
    assert {f"flexrun/examples/{path.relative_to(EXAMPLES)}" for path in _sources(EXAMPLES)} <= names
    assert not {name for name in names if name.startswith(("tests/", "bench/", "docs/"))}


async def test_an_installed_wheel_runs_the_demo_among_files_with_the_names_of_its_modules(
    installed: Path, trapped: Path
) -> None:
    out = await _run(trapped, str(installed), "demo", "--json")
    delivered(example("linkedin-variants"), [orjson.loads(line) for line in out.splitlines()])


async def test_an_installed_wheel_serves_and_submits_its_examples(installed: Path, trapped: Path) -> None:
    trapped.chmod(0o755)
    names = (await _run(trapped, str(installed), "example")).decode().split()
    assert names == sorted(path.stem for path in EXAMPLES.glob("*.json"))
    envelope = await _run(trapped, str(installed), "example", "linkedin-flat-record")
    assert orjson.loads(envelope) == example("linkedin-flat-record")

    data = installed.parents[1] / "data"
    up = _Up(installed, trapped, data)
    try:
        await up.start()
        out = await _run(trapped, str(installed), "submit", "-", "--url", up.url, given=envelope)
        delivered(example("linkedin-flat-record"), [orjson.loads(line) for line in out.splitlines()])
        async with aiohttp.ClientSession(raise_for_status=True) as http, http.get(f"{up.url}/docs") as page:
            assets = re.findall(r'"(docs/[^"]+)"', await page.text())
            sizes = [len(await (await http.get(f"{up.url}/{each}")).read()) for each in assets]
        assert len(sizes) == 3
        assert all(sizes)
        listed = await _run(trapped, str(installed), "runs", "list", "--json", "--url", up.url)
        assert [run["status"] for run in orjson.loads(listed)["runs"]] == ["completed"]
    finally:
        await up.stop()


@pytest.mark.parametrize("start", ["launcher", "module"])
async def test_a_checkout_runs_the_demo_among_files_with_the_names_of_its_modules(
    trapped: Path, start: str
) -> None:
    launcher = [str(Path(sys.executable).with_name("flexrun"))]
    if start == "module":
        # Python itself runs a flexrun.py of the current folder then: that one is requested.
        (trapped / "flexrun.py").unlink()
    command = launcher if start == "launcher" else [sys.executable, "-m", "flexrun"]
    out = await _run(trapped, *command, "demo", "--json")
    delivered(example("linkedin-variants"), [orjson.loads(line) for line in out.splitlines()])


class _Up(FlexrunProcess):
    """`flexrun up` of an installed wheel, started in a folder of the user's."""

    def __init__(self, command: Path, folder: Path, data: Path) -> None:
        arguments = ["up", "--port", str(free_port()), "--data", str(data)]
        super().__init__("up", arguments, _environment(), folder)
        self._command = command
        self._folder = folder

    def launch(self) -> None:
        self._server = GuardedServer.launch(
            [
                "/usr/bin/env",
                f"--chdir={self._folder}",
                str(self._command),
                *self._arguments,
            ],
            log_path=self.log_path,
            environment=self._environment,
        )
