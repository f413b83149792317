"""Answers 503 on the gateway's socket while there is no engine, in the select loop of `flexrun up`.

It never blocks, and everything is bounded: connections, bytes of a head, seconds of a connection. It reads of a request
only what it takes to answer it: the method, the path, `Accept` and `Origin`. The answer is the same for all callers, so
that it needs neither tokens nor a database.

A browser's EventSource gives up for good after any answer but 200. So a GET that accepts `text/event-stream` gets a
stream that says `retry: 1000` and ends, after which every SSE client comes back with its `Last-Event-ID`.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from schemas.problem import MEDIA_TYPE, build_problem

MAX_CONNECTIONS = 100
"""Connections at the same time; more wait in the queue of the socket."""

MAX_HEAD_BYTES = 16_384
CONNECTION_SECONDS = 2.0
"""How long a caller may take to send a request and to read its answer."""

RETRY_SECONDS = 1

_CHUNK_BYTES = 65_536
_ACCEPT_PAUSE_SECONDS = 0.25
_STREAM = b"retry: %d\n\n" % (RETRY_SECONDS * 1000)
_REASONS = {200: "OK", 503: "Service Unavailable"}


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    ends_at: float
    head: bytes = b""
    unsent: bytes = b""
    answered: bool = False
    """What it sends from now on is read and thrown away: closing over unread bytes would reset the connection."""


@dataclass(slots=True)
class FallbackServer:
    """Answers on `listening`, which is bound, and listens since the first engine, while `accepting`.

    `cors_origins` are the pages that may read the answers. With `tls` it accepts nobody, since it speaks plain HTTP:
    callers wait in the queue of the socket. Use: `watched()`, select, `turn()`.
    """

    listening: socket.socket
    cors_origins: Sequence[str] = ()
    tls: bool = False
    accepting: bool = False
    _connections: dict[int, _Connection] = field(default_factory=dict[int, _Connection])
    _accept_at: float = 0.0

    def watched(self) -> tuple[list[int], list[int]]:
        """The descriptors to wait for: those to read from, those to write to."""
        readers = [number for number, each in self._connections.items() if not each.unsent]
        writers = [number for number, each in self._connections.items() if each.unsent]
        if self._may_accept():
            readers.append(self.listening.fileno())
        return readers, writers

    def turn(self, readable: Sequence[int], writable: Sequence[int]) -> None:
        """Continue the ready connections, and close those that took too long. Never blocks, never raises OSError."""
        if self._may_accept() and self.listening.fileno() in readable:
            self._accept()
        for number in {*readable, *writable} & self._connections.keys():
            connection = self._connections[number]
            try:
                over = self._send(connection) if connection.unsent else self._receive(connection)
            except BlockingIOError:
                continue
            except OSError:
                over = True
            if over:
                self._close(connection)
        now = time.monotonic()
        for connection in [each for each in self._connections.values() if each.ends_at <= now]:
            self._close(connection)

    @property
    def is_answering(self) -> bool:
        """Whether a caller was accepted here and has no answer yet; for CONNECTION_SECONDS at most."""
        return any(not each.answered for each in self._connections.values())

    def close(self) -> None:
        """Stop listening in this process; the engine has a copy of the socket. Open connections are still answered."""
        self.accepting = False
        self.listening.close()

    def forget(self) -> None:
        """Close a forked child's copies of the connections, which are its parent's."""
        for connection in self._connections.values():
            connection.socket.close()
        self._connections.clear()

    def _may_accept(self) -> bool:
        return (
            self.accepting
            and not self.tls
            and len(self._connections) < MAX_CONNECTIONS
            and time.monotonic() >= self._accept_at
        )

    def _accept(self) -> None:
        """Accept one caller: between two of them the supervisor checks whether there is an engine again."""
        self.listening.setblocking(False)
        try:
            accepted, _ = self.listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is left: the callers wait in the queue, and this loop does not spin
            self._accept_at = time.monotonic() + _ACCEPT_PAUSE_SECONDS
            return
        accepted.setblocking(False)
        ends_at = time.monotonic() + CONNECTION_SECONDS
        self._connections[accepted.fileno()] = _Connection(accepted, ends_at)

    def _receive(self, connection: _Connection) -> bool:
        """Read once; whether the connection is over."""
        received = connection.socket.recv(_CHUNK_BYTES)
        if not received or connection.answered:
            return not received
        connection.head += received
        ended = b"\n\r\n" in connection.head or b"\n\n" in connection.head
        if not ended and len(connection.head) < MAX_HEAD_BYTES:
            return False
        head = connection.head[:MAX_HEAD_BYTES].decode("latin-1").replace("\r\n", "\n")
        connection.head = b""
        connection.unsent = self._answer(head.lstrip("\n").partition("\n\n")[0])
        return self._send(connection)

    def _send(self, connection: _Connection) -> bool:
        sent = connection.socket.send(connection.unsent)
        connection.unsent = connection.unsent[sent:]
        if not connection.unsent:
            connection.answered = True
            connection.socket.shutdown(socket.SHUT_WR)
        return False

    def _close(self, connection: _Connection) -> None:
        del self._connections[connection.socket.fileno()]
        with suppress(OSError):
            # The fork of an engine may have a copy, and then closing alone would not end the connection.
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()

    def _answer(self, head: str) -> bytes:
        request, *lines = head.split("\n")
        method, _, target = request.partition(" ")
        headers = {
            name.lower(): value.strip()
            for name, colon, value in (line.partition(":") for line in lines)
            if colon
        }
        path = target.partition(" ")[0].partition("?")[0]
        status, media_type, body = _content(method, path, headers.get("accept", ""))
        told = {"Content-Type": media_type, "Content-Length": str(len(body)), "Connection": "close"}
        told |= {"Server": "flexrun", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if status == 503:
            told["Retry-After"] = str(RETRY_SECONDS)
        told |= self._cors(headers.get("origin"))
        first = f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        text = first + "".join(f"{name}: {value}\r\n" for name, value in told.items()) + "\r\n"
        return text.encode("latin-1") + (b"" if method == "HEAD" else body)

    def _cors(self, origin: str | None) -> dict[str, str]:
        """A page of another origin must be allowed to read the answer, or its EventSource gives up."""
        if not self.cors_origins or origin is None:
            return {}
        if "*" in self.cors_origins:
            return {"Vary": "Origin", "Access-Control-Allow-Origin": "*"}
        return {"Vary": "Origin"} | (
            {"Access-Control-Allow-Origin": origin} if origin in self.cors_origins else {}
        )


def _content(method: str, path: str, accept: str) -> tuple[int, str, bytes]:
    """The status, media type and body of an answer."""
    if path == "/healthz":
        return 200, "application/json", b'{"status":"ok"}\n'
    if path == "/readyz":
        return _problem("not_ready", "Not ready: the engine has ended or stands still, and is started again.")
    if method == "GET" and "text/event-stream" in accept.lower():
        return 200, "text/event-stream", _STREAM
    return _problem(
        "engine_restarting",
        "The engine is started again just now; nothing was done with this request, try again.",
    )


def _problem(code: str, detail: str) -> tuple[int, str, bytes]:
    return 503, MEDIA_TYPE, json.dumps(build_problem(503, code, detail).to_wire()).encode() + b"\n"
