"""Sites of real processes, on either broker; the report of a failed test has the ends of their logs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.support import databases
from tests.support.followers import open_session
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.rabbit_management import delete_queues


@pytest.fixture(scope="package", params=["postgres", "rabbitmq"])
def shared_site(
    request: pytest.FixtureRequest,
    service: Callable[[str], str],
    postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A gateway, a planner and an executor, shared by tests that leave them running.

    They end after the last test of this folder, as even idle ones cost CPU time.
    """
    rabbit = request.param == "rabbitmq"
    database_url = databases.create_database(postgres_url, template=service("postgres_template"))
    setting = Setting(
        database_url, service("rabbitmq") if rabbit else "postgres", f"test-{uuid4().hex[:12]}", 15
    )
    site = Site(setting, tmp_path_factory.mktemp(f"site-{request.param}"))
    site.add_all(gateway=1, planner=1, executor=1)
    try:
        asyncio.run(site.start())
        yield site
    finally:
        asyncio.run(site.stop())
        databases.drop_database(postgres_url, database_url)
        if rabbit and (management_url := service("rabbitmq_management")):
            delete_queues(management_url, setting.namespace)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with open_session() as session:
        yield session


@pytest.fixture(params=["postgres", "rabbitmq"])
def setting(request: pytest.FixtureRequest, database_url: str) -> Setting:
    """A database of this test's own, with the Postgres broker and with RabbitMQ."""
    if request.param == "postgres":
        return Setting(database_url)
    return Setting(
        database_url,
        request.getfixturevalue("amqp_url"),
        namespace=request.getfixturevalue("broker_namespace"),
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of the log of every process that the test had."""
    report = yield
    if report.failed:
        fixtures: dict[str, Any] = getattr(item, "funcargs", {})
        for name, value in fixtures.items():
            if isinstance(value, Site | FlexrunProcess):
                report.sections.append((f"processes of {name}", value.last_words()))
    return report
