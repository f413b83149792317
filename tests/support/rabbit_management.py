"""The little of RabbitMQ's management API that tests use."""

import base64
import json
import urllib.request
from urllib.parse import quote, urlsplit


def delete_queues(management_url: str, prefix: str) -> None:
    """Delete every queue whose name begins with `prefix`."""
    queues = json.loads(_call(management_url, "GET", "/queues/%2F?columns=name&disable_stats=true"))
    for name in (queue["name"] for queue in queues):
        if name.startswith(prefix):
            _call(management_url, "DELETE", f"/queues/%2F/{quote(name, safe='')}")


def delete_exchanges(management_url: str, prefix: str) -> None:
    """Delete every exchange whose name begins with `prefix`."""
    for exchange in json.loads(_call(management_url, "GET", "/exchanges/%2F?columns=name")):
        if exchange["name"].startswith(prefix):
            _call(management_url, "DELETE", f"/exchanges/%2F/{quote(exchange['name'], safe='')}")


def _call(url: str, method: str, path: str) -> bytes:
    parts = urlsplit(url)
    credentials = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    request = urllib.request.Request(
        f"http://{parts.hostname}:{parts.port}{parts.path}{path}",
        method=method,
        headers={"Authorization": f"Basic {credentials}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - http to our own server
        return response.read()
