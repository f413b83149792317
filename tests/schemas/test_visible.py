"""Foreign text cannot steer a terminal, turn itself round or hide; everything else stays as it is."""

import sys
import unicodedata

import orjson
import pytest

from schemas.visible import has_hidden, visible, visible_json

SHOWN_MARKS = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""Format characters that are drawn: number signs of Arabic, Syriac and Kaithi."""


def test_every_control_format_and_separator_character_is_shown_as_its_escape() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in SHOWN_MARKS:
            shown = visible(character)
            assert shown.isascii(), hex(code)
            assert shown.startswith("\\"), hex(code)
            assert shown.isprintable(), hex(code)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202eevil\u202c", "\\u202eevil\\u202c"),
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("a\u2028b\u200bc\ufeff", "a\\u2028b\\u200bc\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\x9b2J", "\\u009b2J"),
        ("\ud800", "\\ud800"),
    ],
)
def test_it_says_what_is_there(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert has_hidden(text)
    assert not has_hidden(shown)


def test_what_people_write_stays() -> None:
    for text in ("Grüße, 你好, שלום, مرحبا", "naïve café e\u0301", "❤\ufe0f 🎉", "[/red] C:\\temp", ""):
        assert visible(text) == text


def test_lines_stay_in_a_block() -> None:
    assert visible("a\n\tb\r\x1b", block=True) == "a\n\tb\\r\\u001b"


def test_json_stays_the_same_document() -> None:
    document = {"a\u202e": ["\u2028\x7f\x85", "\U000e0041", "\ufeff", "ü"]}
    text = visible_json(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    assert orjson.loads(text) == document
    assert not has_hidden(text, block=True)
