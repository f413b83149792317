"""Verify an exported run without flexrun: python3 verify_run.py RUN.jsonl.gz; what it proves: docs/proof.md."""

import gzip
import json
import sys
from hashlib import sha256


def verify(lines):
    """Print what the file proves, or exit with the place where it is not as it was written."""
    header = json.loads(next(lines))
    run, count, head = header["runId"], header["events"], header["headHash"]
    before, covered, seq = None, 0, 0
    for seq, line in enumerate(lines, 1):
        event = json.loads(line)
        after = event["after"]
        if event["seq"] != seq or event["runId"] != run:
            sys.exit(f"run {run} event {seq}: another event stands in its place")
        if after not in (None, before) or (after is None and covered):
            sys.exit(f"run {run} event {seq}: it or the event before it is not as it was written")
        if covered and event["type"] == "complete" and event["detail"]["eventCount"] != seq:
            sys.exit(f"run {run} event {seq}: complete counts other events")
        covered += after is not None
        before = sha256(line.rstrip(b"\n")).hexdigest()
    if seq != count or head not in (None, before) or (head is None and covered):
        sys.exit(f"run {run} event {seq}: it is not as it was written, or events after it are missing")
    covered += head is not None
    print(f"run {run}: {count} events, {covered} as they were written, {count - covered} without a hash")
    print(f"head: event {count}, hash {head}")


if __name__ == "__main__":
    try:
        with gzip.open(sys.argv[1]) as file:
            verify(iter(file))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{sys.argv[1]} is no whole export of a run: {error!r}")
