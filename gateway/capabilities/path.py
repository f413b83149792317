"""The id of a capability in a path."""

from __future__ import annotations

import re
from typing import Annotated

from aiohttp import web

from gateway.endpoint import FromRequest
from gateway.errors import CapabilityUnknown
from gateway.middleware import bind_log_fields
from gateway.query import Parameter

UNKNOWN = {404: "There is no such capability, or not this version of it (`capability_unknown`)."}
_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def _read_path(request: web.Request) -> str:
    capability_id = request.match_info["capability_id"]
    if _ID.fullmatch(capability_id) is None:
        raise CapabilityUnknown.by(capability_id)
    bind_log_fields(request, capability_id=capability_id)
    return capability_id


PathCapabilityId = Annotated[
    str, FromRequest(_read_path, [Parameter("capability_id", "path", "The capability's id.")])
]
