"""Each process loads what its work needs: a command waits for no database driver, and a planner for no routes."""

import subprocess
import sys

import pytest

from flexrun.roles.parts import PRELOADED
from tests.support.ports import free_port
from tests.support.processes import ROOT, clean_environment

ENGINE = {
    "aio_pika",
    "broker",
    "eventstore",
    "executor",
    "gateway",
    "planner",
    "psutil",
    "psycopg",
    "webhooks",
}
CLIENT = {"aiohttp", "pydantic_settings", "structlog", "tenacity"}

_IMPORT = "import flexrun.cli"
_CHILD = """
import sandbox.child
from importlib import import_module
for each in sys.argv[1:]:
    import_module(each)
"""
_COMMAND = """
from flexrun.cli import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
"""
_ENGINE = """
import asyncio
from flexrun.cli.running import running
from flexrun.settings import Settings

async def main():
    async with running(Settings(port=0), frozenset(sys.argv[1:])):
        pass

asyncio.run(main())
"""


def loaded(code: str, *arguments: str, **settings: str) -> set[str]:
    """The modules of a fresh interpreter after this code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)", *arguments],
        env=clean_environment() | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", [(), ("--help",), ("hitl", "--help"), ("runs", "abort", "--help")])
def test_who_asks_for_help_waits_for_neither_a_client_nor_an_engine(arguments: tuple[str, ...]) -> None:
    found = packages(loaded(_COMMAND if arguments else _IMPORT, *arguments))
    assert "flexrun" in found
    assert found & (ENGINE | CLIENT) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list"),
        ("hitl", "list"),
        ("tasks", "list"),
        ("webhooks", "list"),
        ("submit", "examples/linkedin-variants.json"),
        ("attach", "01900000-0000-7000-8000-00000000dead"),
    ],
)
def test_a_command_that_asks_a_gateway_loads_nothing_of_an_engine(arguments: tuple[str, ...]) -> None:
    found = packages(loaded(_COMMAND, *arguments, "--url", f"http://127.0.0.1:{free_port()}"))
    assert "aiohttp" in found
    assert found & (ENGINE | {"structlog"}) == set()


@pytest.mark.parametrize(
    ("role", "others"),
    [
        ("planner", {"aiohttp", "executor", "gateway", "webhooks"}),
        ("executor", {"aiohttp", "gateway", "planner", "webhooks"}),
        ("gateway", {"executor", "planner"}),
    ],
)
def test_a_process_loads_the_role_that_it_plays(database_url: str, role: str, others: set[str]) -> None:
    found = loaded(_ENGINE, role, FLEXRUN_DATABASE_URL=database_url)
    assert role in found
    assert found & (others | {"aio_pika", "psutil"}) == set()
    assert ("contracts.checker" in found) == (role != "planner")


def test_a_child_that_computes_for_an_executor_loads_no_models() -> None:
    """Each engine starts one or two of them, and what they load is most of what they cost."""
    found = packages(loaded(_CHILD, *PRELOADED["executor"]))
    assert "executor" in found
    assert found & {"pydantic", "asyncio", "structlog", "planner"} == set()
