"""The broker over RabbitMQ: for workers on several machines."""

from broker.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
