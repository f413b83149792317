"""The broker over Postgres alone: nothing to install, and `flex_work` is the queue."""

from broker.postgres.broker import PostgresBroker
from broker.postgres.work import PostgresBrokerConfig

__all__ = ["PostgresBroker", "PostgresBrokerConfig"]
