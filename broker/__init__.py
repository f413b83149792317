"""Carries work to workers, over RabbitMQ or Postgres alone."""
