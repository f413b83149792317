"""What an operator can do to a RabbitMQ while it is in use."""

import asyncio
import subprocess

import aio_pika

from tests.support.rabbit_server import RabbitServer, find_rabbitmq


async def delete_queue(amqp_url: str, queue: str) -> None:
    """Delete a queue under its consumers, whom the server cancels then."""
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.queue_delete(queue)


async def put(amqp_url: str, queue: str, body: bytes) -> None:
    """Put a message into a queue as a stranger would."""
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.default_exchange.publish(aio_pika.Message(body), routing_key=queue)


async def rabbitmqctl(server: RabbitServer, *arguments: str) -> str:
    """Run a command of the operator's tool against a private node; what it printed."""
    script = find_rabbitmq()
    assert script is not None
    command = [str(script.with_name("rabbitmqctl")), *arguments]
    # The tool finds the node by the same variables as the node itself.
    environment = server._environment  # pyright: ignore[reportPrivateUsage] - see above
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
