"""Cursors of pages: opaque to clients, checked when they come back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from gateway.query import QueryValue, QueryValueError
from runs.errors import RunUnknown
from runs.event import rfc3339


def write_page_cursor(*key: str | int | datetime) -> str:
    """The place of a row in a list, by what the list is ordered by."""
    texts = (rfc3339(each) if isinstance(each, datetime) else str(each) for each in key)
    return base64.urlsafe_b64encode(" ".join(texts).encode()).decode()


def page_cursor(make: Callable[[Sequence[str]], Any]) -> QueryValue:
    """The parameter that takes what `write_page_cursor` gave.

    `make` turns the texts of the key into a cursor; it raises ValueError or RunUnknown for what is none.
    """

    def read(text: str, _name: str) -> Any:
        try:
            return make(base64.b64decode(text, altchars=b"-_", validate=True).decode().split(" "))
        except (binascii.Error, ValueError, RunUnknown):
            raise QueryValueError("this is not a nextCursor of this list.") from None

    return QueryValue("The `nextCursor` of the page before.", read=read)
