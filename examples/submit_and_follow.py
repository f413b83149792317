"""Start a run and read it to its end, over as many connections as it takes; needs nothing but Python.

python examples/submit_and_follow.py ENVELOPE [GATEWAY]
"""

import json
import sys
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

gateway = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8080"
with urlopen(Request(f"{gateway}/api/v1/flex/runs", Path(sys.argv[1]).read_bytes())) as answer:
    events_url = gateway + json.load(answer)["eventsUrl"]

last, end = "0", None
while end is None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
    try:
        with urlopen(Request(events_url, headers=headers), timeout=60) as stream:
            for line in stream:
                if line.startswith(b"data: ") and line.endswith(b"\n"):  # a line that was cut off has no end
                    event = json.loads(line[6:])
                    last, end = event["id"], event["payload"] if event["type"] == "complete" else None
                    print(last, event["type"], event.get("nodeId", ""), event.get("message", ""), flush=True)
    except (OSError, HTTPException) as error:  # the connection broke, or the gateway is away
        if isinstance(error, HTTPError) and error.code < 500:
            raise
        time.sleep(1)
print(json.dumps(end.get("output", end.get("error")), indent=2))
sys.exit(0 if end["status"] == "completed" else 1)
