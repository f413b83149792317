"""Reads a run with requests-sse, which reconnects by itself: URL; one line of JSON for each event."""

import json
import sys
from datetime import timedelta

from requests_sse import EventSource


def read(url: str) -> None:
    """Until `complete`."""
    with EventSource(url, reconnection_time=timedelta(milliseconds=5), timeout=20) as source:
        for event in source:
            document = json.loads(event.data or "{}")
            print(json.dumps([event.last_event_id, event.type, document.get("id")]), flush=True)  # noqa: T201 - what the test reads
            if event.type == "complete":
                return


read(sys.argv[1])
