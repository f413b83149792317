"""Both brokers, for the tests in which the broker could make a difference."""

from __future__ import annotations

import pytest

from tests.support.workshop import Carrier


@pytest.fixture(params=["postgres", "rabbitmq"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    if request.param == "postgres":
        return Carrier()
    return Carrier(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))
