"""`python -m flexrun_sdk my_capabilities.py`: a worker for the capabilities of files and modules."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from flexrun_sdk.errors import CapabilityMistake
from flexrun_sdk.gateways import GatewayError
from flexrun_sdk.loading import load
from flexrun_sdk.worker import DEFAULT_URL, Worker

_REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGTERM or Ctrl-C; the status to leave with."""
    said = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        worker = Worker(
            [load(each) for each in said.capabilities],
            said.url.split(","),
            os.environ.get("FLEXRUN_TOKEN"),
            slots=said.slots,
            worker_id=said.worker_id,
            replaces=said.replace,
        )
        worker.run()
    except (CapabilityMistake, GatewayError, ValueError) as error:
        print(f"this worker cannot start: {error}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return _REFUSED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flexrun_sdk",
        description="Run functions under @capability as a worker. A token, if one is needed, is in FLEXRUN_TOKEN.",
    )
    parser.add_argument("capabilities", nargs="+", help="a file (./my_capabilities.py) or a module")
    parser.add_argument(
        "--url",
        default=os.environ.get("FLEXRUN_URL", DEFAULT_URL),
        help="the gateway, or several with commas between them (FLEXRUN_URL)",
    )
    parser.add_argument("--slots", type=int, default=10, help="attempts at the same time (10)")
    parser.add_argument("--worker-id", default=None, help="the name that the registry shows")
    parser.add_argument(
        "--replace", action="store_true", help="register anew what is registered in other words"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
