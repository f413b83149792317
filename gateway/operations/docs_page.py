"""The page that shows the API in a browser: Swagger UI over `/openapi.json`.

Its files come from the package `offapi`, and nothing is loaded from another host. Importing that package would read
all its files; here only its folder is looked up.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

from aiohttp import web

from gateway.problems import ProblemError

_STYLE, _BUNDLE, _START = "swagger-ui.css", "swagger-ui-bundle.js", "docs.js"
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>flexrun API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/{digest}/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript>This page needs JavaScript. <a href="openapi.json">openapi.json</a> says the same.</noscript>
<script src="docs/{digest}/swagger-ui-bundle.js"></script>
<script src="docs/{digest}/docs.js"></script>
</body>
</html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KEPT = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    """One file, as it is and compressed."""

    content_type: str
    body: bytes
    gzipped: bytes


@dataclass(frozen=True, slots=True)
class _Assets:
    """The files of the page, and the digest of all of them, which is part of their addresses."""

    digest: str
    files: Mapping[str, _Asset]


async def page() -> web.Response:
    """The page. Browsers ask for it each time, so that it names the files of the version that runs."""
    assets = await asyncio.to_thread(_load)
    headers = {**_HEADERS, "Cache-Control": "no-cache"}
    return web.Response(
        text=_PAGE.format(digest=assets.digest), content_type="text/html", charset="utf-8", headers=headers
    )


async def asset(digest: str, name: str, *, gzipped: bool) -> web.Response:
    """A file of the page, for browsers to keep. Raises ProblemError (404) for one of another version."""
    assets = await asyncio.to_thread(_load)
    found = assets.files.get(name)
    if found is None or digest != assets.digest:
        raise ProblemError(404, "not_found", "There is no such file of /docs in this version.")
    headers = {**_HEADERS, "Cache-Control": _KEPT, "Vary": "Accept-Encoding"}
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    body = found.gzipped if gzipped else found.body
    return web.Response(body=body, content_type=found.content_type, charset="utf-8", headers=headers)


@cache
def _load() -> _Assets:
    swagger = Path(str(distribution("offapi").locate_file("offapi")))
    bodies = {
        _STYLE: (swagger / "swagger_style.css").read_bytes(),
        _BUNDLE: (swagger / "swagger_bundle.js").read_bytes(),
        _START: (Path(__file__).parent / "assets" / _START).read_bytes(),
    }
    digest = sha256(b"".join(bodies.values())).hexdigest()[:16]
    files = {
        name: _Asset(_TYPES[Path(name).suffix], body, gzip.compress(body, 6, mtime=0))
        for name, body in bodies.items()
    }
    return _Assets(digest, files)
