"""The book's pages are clean in a real browser: every page, wide and narrow, light and dark."""

import re
import statistics
from urllib.parse import unquote, urlsplit

import pytest
from browsing import Survey

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MEGABYTES = 3
PIXELS = 9
TARGETS = re.compile(r'\b(?:id|name)="([^"]+)"')
LINKS = re.compile(r'\b(?:href|src)="([^"]+)"')
REDIRECT = 'http-equiv="Refresh"'
# What a reader types, and the page that says what it is.
SEARCHED = {
    "Rosetta points": "book/papers",
    "active units": "book/notation",
    "posterior collapse": "book/notation",
    "install": "book/index",
    "retraining variability": "book/glossary",
    "-inf": "book/faq",
    "CUDA": "book/troubleshooting",
}


def pages_of(book):
    """name -> text of the book's pages."""
    paths = [path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts]
    texts = {path.relative_to(book).as_posix(): path.read_text() for path in paths}
    return {name: text for name, text in texts.items() if REDIRECT not in text}


@pytest.fixture(scope="module")
def survey(chromium, book, address):
    survey = Survey(chromium, book, address)
    for name in sorted(pages := pages_of(book), key=lambda name: len(pages[name])):
        survey.visit(name)
    survey.page.close()
    return survey


def test_every_page_is_visited(survey):
    assert len(survey.weights) > 30


def test_no_page_reports_an_error(survey):
    assert survey.console == []


def test_no_page_asks_another_host(survey):
    assert survey.elsewhere == []


def test_no_page_is_wider_than_the_window(survey):
    assert survey.overflow == []


def test_every_formula_is_drawn(survey):
    assert survey.formulas == []


def test_axe_finds_nothing_serious(survey):
    assert survey.serious() == []


def test_no_header_of_a_table_is_empty(survey):
    assert survey.empty_headers() == []


def test_letters_of_figures_can_be_read_on_a_telephone(survey):
    assert len(survey.labels) > 80
    assert [found for found in survey.labels if found[-1] < PIXELS] == []


def test_every_figure_of_a_notebook_says_what_it_shows(book):
    pages = {name: text for name, text in pages_of(book).items() if "<picture" in text}
    for name, text in pages.items():
        alts = re.findall(r'<picture class="on-light">.*?alt="([^"]*)"', text)
        assert (
            len(alts) == text.count('<picture class="on-light">') == text.count("figcaption>") / 2
        )
        assert all(alt.endswith(".") and " " in alt for alt in alts), name


def test_pages_are_light(survey):
    assert statistics.median(survey.weights.values()) <= MEGABYTES * 1e6


def test_every_link_inside_the_book_leads_somewhere(book):
    pages = pages_of(book)
    targets = {name: set(TARGETS.findall(text)) for name, text in pages.items()}
    broken = []
    for name, text in pages.items():
        for link in set(LINKS.findall(text)):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto", "data", "javascript"):
                continue
            path = (book / name).parent / unquote(parts.path) if parts.path else book / name
            to = path.resolve().relative_to(book).as_posix() if path.exists() else None
            anchor = unquote(parts.fragment)
            if parts.scheme or to is None or anchor and anchor not in targets.get(to, {anchor}):
                broken.append(f"{name}: {link}")
    assert broken == []


@pytest.mark.parametrize("words", SEARCHED)
def test_a_search_finds_the_page_that_explains(chromium, address, words):
    page = chromium.new_page()
    page.goto(address + "search.html")
    page.locator("#searchbox input, .bd-content input[name=q]").first.fill(words)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results ul.search li:nth-child(3)")
    page.wait_for_function("document.querySelector('#search-results p').innerText != ''")
    hrefs = page.locator("#search-results ul.search > li > a").evaluate_all(
        "links => links.slice(0, 3).map(link => link.href)"
    )
    page.close()
    assert any(f"{SEARCHED[words]}.html" in href for href in hrefs), hrefs


def test_what_takes_the_focus_shows_it(chromium, address):
    page = chromium.new_page(viewport=dict(width=1400, height=900))
    page.goto(address + "book/index.html")
    hidden = []
    for _ in range(12):
        page.keyboard.press("Tab")
        name, shown = page.evaluate("""() => {
            const element = document.activeElement, style = getComputedStyle(element);
            const ring = style.outlineStyle != "none" && parseFloat(style.outlineWidth) > 0;
            return [element.outerHTML.slice(0, 120), ring || style.boxShadow != "none"];
        }""")
        hidden += [] if shown else [name]
    page.close()
    assert hidden == []
