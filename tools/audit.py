#!/usr/bin/env python3
"""Look for known vulnerabilities in what `requirements.lock` pins. Where they cannot be looked up, it says so.

Exit status: 0 when there are none or it could not be known, 1 when there are some.
"""

import json
import subprocess
import sys
from pathlib import Path

SECONDS = 90
LOCK = Path(__file__).parents[1] / "requirements.lock"


def main() -> int:
    """Ask the index that pip uses."""
    command = [
        str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(LOCK), "--disable-pip",
        "--format", "json", "--progress-spinner", "off", "--timeout", "5",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        print("audit: NOT DONE, the database of vulnerabilities cannot be reached from here")
        return 0
    asked = [each for each in found if "skip_reason" not in each]
    bad = [each for each in asked if each.get("vulns")]
    for each in bad:
        ids = ", ".join(vulnerability["id"] for vulnerability in each["vulns"])
        print(f"audit: {each['name']} {each['version']} has known vulnerabilities: {ids}")
    if len(asked) < len(found):
        unknown = len(found) - len(asked)
        print(f"audit: NOT DONE for {unknown} of {len(found)} packages: the database does not know them here")
    elif not bad:
        print(f"audit: no known vulnerabilities in {len(asked)} packages")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
