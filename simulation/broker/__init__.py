"""A twin of RabbitMQ, in memory: it carries hints and messages, and may lose, double and delay them."""
