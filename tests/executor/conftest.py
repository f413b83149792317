"""Both brokers, for the tests in which the broker could make a difference."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Carrier:
    """Where hints travel."""

    broker_url: str
    namespace: str


@pytest.fixture(params=["postgres", "rabbitmq"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    if request.param == "postgres":
        return Carrier("postgres", "test")
    return Carrier(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))
