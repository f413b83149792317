"""The contract of every part that is started and closed, such as a worker, a broker, the listener.

- `start` begins its background tasks and connections. A second `start` raises RuntimeError.
- `close` ends them, and returns when no task and no connection of the part is left.
- `close` before `start`, and a second `close`, do nothing.

`tests/e2e/test_lifecycle.py` holds every part to it.
"""


def refuse_second_start(part: object, *, started: bool) -> None:
    """Raise RuntimeError if `part` is started."""
    if started:
        raise RuntimeError(f"{type(part).__name__} is started already")
