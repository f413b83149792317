"""Sites of real processes, on either broker; what their logs say stands in the report of a test that failed."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.processes import FlexrunProcess, Setting, Site


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
    """Add the last words of every process that the test had."""
    report = yield
    if report.failed:
        fixtures: dict[str, Any] = getattr(item, "funcargs", {})
        for name, value in fixtures.items():
            if isinstance(value, Site | FlexrunProcess):
                report.sections.append((f"processes of {name}", value.last_words()))
    return report
