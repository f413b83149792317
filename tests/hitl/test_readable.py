"""A document laid out for people: bounded, and anything left out is noted."""

from typing import Any
from xml.etree.ElementTree import tostring

from gateway.people.page.readable import MAX_DEPTH, MAX_PARTS, document


def laid_out(content: Any) -> str:
    return "".join(tostring(each, encoding="unicode") for each in document("Output", content))


def test_objects_lists_and_texts_are_headings_lists_and_paragraphs() -> None:
    text = laid_out(
        {"variants": [{"text": "One.\n\nTwo."}], "none": None, "empty": "", "list": [], "yes": True}
    )
    for part in (
        "<h3>variants</h3>",
        "<ol><li><h5>text</h5><p>One.</p><p>\u2003Two.</p></li></ol>",
        "<h3>none</h3><p><code>null</code></p>",
        '<h3>empty</h3><p><code>""</code></p>',
        "<h3>list</h3><p><code>[]</code></p>",
        "<h3>yes</h3><p><code>true</code></p>",
    ):
        assert part in text
    assert document("Output", None) == []


def test_a_long_or_deep_document_is_cut_in_words_and_whole_as_json() -> None:
    text = laid_out([f"item {number}" for number in range(50_000)])
    assert "There is more than is laid out here" in text
    assert text.count("<li>") <= MAX_PARTS
    assert "item 49999" in text
    deep: Any = "the bottom"
    for _ in range(100):
        deep = {"a": deep}
    text = laid_out(deep)
    assert text.count("<h") <= MAX_DEPTH + 2
    assert text.count("the bottom") == 2
