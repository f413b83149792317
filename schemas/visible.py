"""Foreign text, made safe to display: what a person reads is what is there.

Control characters steer terminals, bidirectional controls turn "evil" into "live", and invisible characters hide text.
Each of them is shown as its escape, such as `\\u202e`. Code that prints, renders or logs foreign text uses this module.
"""

from __future__ import annotations

import re

_FORMAT_RANGES = (
    (0x00, 0x1F),  # C0
    (0x7F, 0x9F),  # DEL, C1
    (0xAD, 0xAD),  # soft hyphen
    (0x34F, 0x34F),  # combining grapheme joiner
    (0x61C, 0x61C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer vowels that are not shown
    (0x180B, 0x180F),  # Mongolian selectors
    (0x200B, 0x200F),  # zero width, left-to-right and right-to-left marks
    (0x2028, 0x202E),  # line and paragraph separators, embeddings and overrides
    (0x2060, 0x206F),  # word joiner, isolates, deprecated controls
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xDFFF),  # halves of surrogate pairs
    (0xFE00, 0xFE0D),  # variation selectors, but those two that say how an emoji looks
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFFB),  # interlinear annotation
    (0x13430, 0x1345F),  # hieroglyph format controls
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, supplementary variation selectors
)
_CLASS = "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in _FORMAT_RANGES)
_HIDDEN = re.compile(f"[{_CLASS}]")
HIDDEN_IN_BLOCK = re.compile(f"(?![\n\t])[{_CLASS}]")
"""What steers or hides in a text whose lines and tabs are meant."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, *, block: bool = False) -> str:
    """`text` with every character that steers or hides shown as its escape; with `block`, lines and tabs stay."""
    return (HIDDEN_IN_BLOCK if block else _HIDDEN).sub(_escape, text)


def visible_json(raw: bytes | str) -> str:
    """JSON text with such characters escaped as JSON does it: the same document, and safe to look at."""
    text = raw.decode("utf-8", "surrogatepass") if isinstance(raw, bytes) else raw
    return HIDDEN_IN_BLOCK.sub(_json_escape, text)


def has_hidden(text: str, *, block: bool = False) -> bool:
    """Whether `visible` would change the text."""
    return (HIDDEN_IN_BLOCK if block else _HIDDEN).search(text) is not None


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}")


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
