"""Settings of parts are checked when they are made, and an error names the setting."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import ValidationError

from broker.keeper import KeeperConfig
from broker.postgres.work import PostgresBrokerConfig
from broker.rabbitmq.subscription import SubscriptionConfig
from broker.rabbitmq.work import WorkConsumerConfig
from contracts.config import CheckerConfig, CheckLimits
from executor.config import ExecutorConfig
from flexrun.watchdog import WatchdogConfig
from gateway.config import GatewayConfig
from planner.config import PlannerConfig
from sandbox.config import SandboxConfig
from webhooks.config import WebhooksConfig

CONFIGS: dict[type[Any], dict[str, Any]] = {
    CheckLimits: {},
    CheckerConfig: {},
    ExecutorConfig: {},
    GatewayConfig: {},
    KeeperConfig: {},
    PlannerConfig: {},
    PostgresBrokerConfig: {},
    SandboxConfig: {},
    SubscriptionConfig: {"prefetch": 1, "check_seconds": 1, "disposable": True},
    WatchdogConfig: {},
    WebhooksConfig: {},
    WorkConsumerConfig: {},
}
"""Each with the values that it has no default for."""


def _numbers(config: type[Any]) -> list[str]:
    hints = get_type_hints(config)
    return [
        each.name for each in fields(config) if {hints[each.name], *get_args(hints[each.name])} & {int, float}
    ]


@pytest.mark.parametrize(
    ("config", "name"), [(config, name) for config in CONFIGS for name in _numbers(config)], ids=str
)
def test_a_number_below_zero_is_refused_by_the_name_of_its_setting(config: type[Any], name: str) -> None:
    with pytest.raises(ValidationError, match=rf"{config.__name__}\n{name}"):
        config(**{**CONFIGS[config], name: -1})


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (ExecutorConfig, "slots"),
        (KeeperConfig, "batch"),
        (KeeperConfig, "round_seconds"),
        (PlannerConfig, "slots"),
        (PostgresBrokerConfig, "poll_seconds"),
        (SandboxConfig, "processes"),
        (SubscriptionConfig, "prefetch"),
        (WebhooksConfig, "feed_events"),
    ],
)
def test_what_would_do_nothing_or_turn_without_a_pause_is_refused(config: type[Any], name: str) -> None:
    with pytest.raises(ValidationError, match=rf"{config.__name__}\n{name}\n.*greater than"):
        config(**{**CONFIGS[config], name: 0})


@pytest.mark.parametrize(
    ("config", "changes", "words"),
    [
        (
            ExecutorConfig,
            {"lease_seconds": 5},
            "lease_seconds (5 s) must be longer than heartbeat_seconds (5 s)",
        ),
        (
            PlannerConfig,
            {"heartbeat_seconds": 31},
            "lease_seconds (30 s) must be longer than heartbeat_seconds (31 s)",
        ),
        (
            WebhooksConfig,
            {"request_seconds": 60},
            "lease_seconds (45 s) must be longer than request_seconds (60 s)",
        ),
        (WatchdogConfig, {"exit_seconds": 1}, "exit_seconds (1 s) must be longer than warn_seconds (2 s)"),
    ],
)
def test_times_that_contradict_each_other_are_refused(
    config: type[Any], changes: dict[str, float], words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        config(**changes)
    assert words in str(refused.value)
