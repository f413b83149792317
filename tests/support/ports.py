"""Free ports for servers that a test starts, stops and starts again in the same place."""

import random
import socket

_BELOW_EPHEMERAL = range(20_000, 32_000)


def free_port() -> int:
    """A TCP port without a listener, outside the range from which the system takes ports for outgoing connections.

    Such a port stays free while a test keeps its server down.
    """
    for _ in range(100):
        port = random.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port found in a hundred tries")
