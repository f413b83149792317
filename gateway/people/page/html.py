"""HTML by a tree of elements: text and attributes are escaped because nothing else can be said.

Text is made visible on its way in, so that what is approved is what is read. The values of attributes are sent back by
forms and must not change: what would hide in them is written as a character reference.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from xml.etree.ElementTree import Element, tostring

from aiohttp import web

from schemas.visible import HIDDEN_IN_BLOCK, visible

Node = Element | str

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 46rem; padding: 1rem 1rem 0;
  overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin-top: 0; } h2 { font-size: 1.2rem; margin-top: 2rem; }
h3, h4, h5, h6 { font-size: 1rem; margin: 1rem 0 0; } p { margin: .25rem 0 .75rem; }
.document { border-left: .25rem solid #8888; padding-left: .75rem; } .document p, dd { white-space: pre-wrap; }
.nested { border-left: 1px solid #8888; padding-left: .75rem; } ol { margin: .25rem 0; padding-left: 1.75rem; }
pre, .json { font: .9rem/1.4 ui-monospace, monospace; }
pre { white-space: pre-wrap; }
textarea, input[type=text] { box-sizing: border-box; width: 100%; padding: .6rem; font-size: 1rem;
  min-height: 2.75rem; }
form, fieldset { margin: 1rem 0; } summary { padding: .6rem 0; }
button, .go { font: inherit; font-weight: 600; box-sizing: border-box; min-height: 3rem; min-width: 7rem;
  padding: .6rem 1rem; margin: .25rem .75rem .25rem 0; border-radius: .4rem; border: 2px solid;
  background: Canvas; color: CanvasText; }
.go { display: inline-block; text-decoration: none; }
button.yes { background: #17693a; border-color: #17693a; color: #fff; }
button.no { background: #fff; border-color: #b00020; color: #b00020; }
.bar { position: sticky; bottom: 0; background: Canvas; border-top: 1px solid #8888; padding: .5rem 0;
  display: flex; flex-wrap: wrap; }
.bar button { flex: 1; }
.final { flex-direction: column; } .final button { flex: none; margin-right: 0; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; }
[role=alert] { border-left: .4rem solid #b00020; padding-left: .75rem; }
[hidden] { display: none; }
"""

_POLICY = (
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-"
    + base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'"
)

HEADERS = {
    "Content-Security-Policy": _POLICY,
    # The address is the key: it must not go out with a referrer. `no-referrer` would make browsers hide the
    # origin of the form, which a gateway without tokens asks for.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


_BLOCKS = frozenset({"pre", "textarea", "style"})
"""Elements whose text has lines."""


def h(tag: str, *children: Node | None, **attributes: str) -> Element:
    """An element. Underscores at the end of attribute names are dropped, others become hyphens."""
    element = Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    for child in children:
        if isinstance(child, str):
            _add_text(element, visible(child, block=tag in _BLOCKS))
        elif child is not None:
            element.append(child)
    return element


def _add_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def page(title: str, *content: Node | None, status: int = 200) -> web.Response:
    """A whole page: no scripts, nothing loaded from anywhere."""
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", title),
        h("style", _STYLE),
    )
    document = h("html", head, h("body", h("main", *content)), lang="en")
    text = "<!DOCTYPE html>\n" + tostring(document, encoding="unicode", method="html")
    body = HIDDEN_IN_BLOCK.sub(lambda found: f"&#{ord(found[0])};", text).encode("utf-8", "replace")
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)
