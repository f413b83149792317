"""Reads a run with httpx-sse: URL; one line of JSON for each event."""

import json
import sys

import httpx
from httpx_sse import connect_sse


def read(url: str) -> None:
    """Until `complete`, over as many connections as it takes."""
    last = "0"
    with httpx.Client(timeout=20) as http:
        while True:
            try:
                with connect_sse(http, "GET", url, headers={"Last-Event-ID": last}) as source:
                    for event in source.iter_sse():
                        last = event.id
                        print(json.dumps([event.id, event.event, json.loads(event.data)["id"]]), flush=True)  # noqa: T201 - what the test reads
                        if event.event == "complete":
                            return
            except httpx.TransportError:
                pass


read(sys.argv[1])
