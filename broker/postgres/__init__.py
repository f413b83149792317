"""The broker over Postgres alone: nothing to install, and `flex_work` is the queue."""

from broker.postgres.broker import PostgresBroker

__all__ = ["PostgresBroker"]
