"""Functions that tests call in a sandbox."""

import os
import sys
import time
from typing import Any

from sandbox.errors import InputRefused


def echo(argument: Any, blob: bytes) -> Any:
    return {"argument": argument, "size": len(blob), "pid": os.getpid()}


def give_back(argument: Any, blob: bytes) -> bytes:
    return blob


def spin(argument: Any, blob: bytes) -> None:
    began = time.process_time()
    while time.process_time() - began < argument:
        pass


def grow(argument: Any, blob: bytes) -> int:
    return len(bytearray(argument))


def refuse(argument: Any, blob: bytes) -> None:
    raise InputRefused({"problems": [argument]})


def stumble(argument: Any, blob: bytes) -> None:
    raise KeyError(argument)


def descend(argument: Any, blob: bytes) -> None:
    descend(argument, blob)


def environment(argument: Any, blob: bytes) -> dict[str, str]:
    return dict(os.environ)


def say(argument: Any, blob: bytes) -> str:
    sys.stdout.write(argument)
    sys.stdout.flush()
    return argument
