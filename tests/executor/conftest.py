"""Both brokers, for the tests in which the broker could make a difference."""

from __future__ import annotations

import pytest

from tests.support.wired_engine import BrokerAddress


@pytest.fixture(params=["postgres", "rabbitmq"])
def broker_address(request: pytest.FixtureRequest) -> BrokerAddress:
    if request.param == "postgres":
        return BrokerAddress()
    return BrokerAddress(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))
