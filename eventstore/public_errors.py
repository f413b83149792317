"""Errors of the database as texts for callers without rights: no address, no account, no message of the server."""

from __future__ import annotations

import psycopg

from eventstore.errors import StoreError

_BY_SQLSTATE = {
    "53100": "the disk of the database is full",
    "53200": "the database has no memory left",
    "53300": "the database has no connection left for the writer",
    "25006": "the database is read-only",
    "42501": "the database account may not write",
    "42P01": "the database was never prepared: run flexrun db migrate",
}
_BY_TEXT = {
    # Errors of connecting come without an SQLSTATE.
    "too many clients": "53300",
    "too many connections": "53300",
    "connection slots are reserved": "53300",
    "read-only": "25006",
    "in recovery": "25006",
    "hot standby": "25006",
    "No space left": "53100",
}


def public_error_text(error: StoreError) -> str:
    """A sentence without a full stop."""
    cause = error.__cause__
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    if state not in _BY_SQLSTATE:
        state = next((known for text, known in _BY_TEXT.items() if text in str(error)), None)
    return _BY_SQLSTATE[state] if state else "the database does not answer"
