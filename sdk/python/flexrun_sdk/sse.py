"""Reading Server-Sent Events, as far as a gateway writes them."""

from __future__ import annotations


class SseParser:
    """Bytes in, the `data` of each complete event out; other fields are passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes. One that is cut off at the end of the stream is never given."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif not line.strip() and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events
