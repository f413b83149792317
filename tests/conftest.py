"""What every test may ask for: a database, a broker, a place of its own in both."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
import structlog

from tests.support import databases
from tests.support.rabbit_management import delete_exchanges, delete_queues
from tests.support.service_endpoint import ServiceDoor, ask_controller
from tests.support.services import Services

_DOOR = pytest.StashKey[ServiceDoor]()
_ALLOCATIONS_PER_COLLECTION = 10_000

# Compiled once, for the workers and for every process that a test starts: without the cache, which some environments
# turn off, each of them compiles our modules again, and each worker rewrites the asserts of all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: much of the time of many tests is waiting for a process to start or to notice."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """The controller, or the only process, opens the door to the services before any worker starts."""
    log_plain_tracebacks()
    if not hasattr(config, "workerinput"):
        config.stash[_DOOR] = ServiceDoor(Services())


def pytest_collection_finish() -> None:
    """The modules and tests stay until the end: the collector need not walk them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, *gc.get_threshold()[1:])


def log_plain_tracebacks() -> None:
    """As `flexrun.logs` does: structlog's own tracebacks print all local variables, at a second of CPU time each."""
    *before, _renderer = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started."""
    if door := config.stash.get(_DOOR, None):
        door.close()


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Ask for a service by name; see tests/support/services.py."""
    door = request.config.stash.get(_DOOR, None)
    return door.ask if door else ask_controller


@pytest.fixture(scope="session")
def postgres_url(service: Callable[[str], str]) -> str:
    """A superuser's URL of the shared Postgres server. For a server to kill, make a PostgresServer."""
    return service("postgres")


@pytest.fixture
def database_url(service: Callable[[str], str], postgres_url: str) -> Iterator[str]:
    """A database of this test's own, migrated."""
    yield from _database(postgres_url, service("postgres_template"))


@pytest.fixture
def other_database_url(service: Callable[[str], str], postgres_url: str) -> Iterator[str]:
    """Another one, for a second site."""
    yield from _database(postgres_url, service("postgres_template"))


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database of this test's own, with nothing in it."""
    yield from _database(postgres_url, None)


def _database(server_url: str, template: str | None) -> Iterator[str]:
    url = databases.create_database(server_url, template=template)
    yield url
    databases.drop_database(server_url, url)


@pytest.fixture(scope="session")
def amqp_url(service: Callable[[str], str]) -> str:
    """The shared RabbitMQ. For a broker to kill, make a RabbitServer."""
    return service("rabbitmq")


@pytest.fixture
def broker_namespace(service: Callable[[str], str], amqp_url: str) -> Iterator[str]:
    """A prefix for the names of this test's queues and exchanges, which are deleted afterwards.

    Not so on a broker named in the environment, whose management API is not ours to use.
    """
    prefix = f"test-{uuid4().hex[:12]}"
    yield prefix
    if management_url := service("rabbitmq_management"):
        delete_queues(management_url, prefix)
        delete_exchanges(management_url, prefix)
