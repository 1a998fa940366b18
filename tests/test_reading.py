"""The time of reading that a page tells is counted from its words and the code that it shows."""

import pytest
from docutils import nodes
from docutils.utils import new_document
from loading import load_file

reading = load_file("book/_ext/reading.py")


def page(words, *, lines=0, folded=False):
    """A page with a number of words, a block of code, and the place for its minutes."""
    document = new_document("a")
    document += nodes.paragraph("", "word " * words)
    block = nodes.literal_block("", "\n".join(["code"] * lines)) if lines else nodes.comment()
    document += nodes.container("", block, classes=["cell", "tag_hide-cell"] if folded else [])
    return document


@pytest.mark.parametrize(
    "document, minutes",
    [(page(400), 2), (page(400, lines=30), 3), (page(400, lines=30, folded=True), 2), (page(0), 1)],
)
def test_minutes_are_of_words_and_of_shown_lines(document, minutes):
    assert reading.minutes(document) == minutes


@pytest.mark.parametrize(
    "words, told", [(10, "1 minute to read, no"), (400, "2 minutes to read, no")]
)
def test_the_page_tells_them(words, told):
    document = page(words)
    document += nodes.paragraph("", "", *reading.role("reading", "", "no", 1, None)[0])
    reading.fill(None, document)
    assert told in document.astext()
