"""Twelve things that readers come for: found from the front page by two clicks, or by one search."""

import re
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RESULTS = 3  # the first ones of a search, which a reader looks at
FAQ = "Questions and short answers"


class Task(NamedTuple):
    """A reader's question: links to click, or words to search for, and the answer's words."""

    question: str
    clicks: tuple[str, ...] = ()
    search: str = ""
    answer: str = ""


TASKS = [
    Task("How do I install it?", answer=r"pip install"),
    Task("Which file do I send?", (FAQ,), answer=r"The Rosetta file, alice\.npz"),
    Task("What does it cost?", (FAQ,), answer=r"In reconstruction little or nothing"),
    Task("What does -inf mean?", (FAQ,), answer=r"All runs coincide to the last digit"),
    Task(
        "Do I need this if I can fit a rotation?", search="fit a rotation", answer=r"strong rival"
    ),
    Task("How do I choose rho?", search="choose rho", answer=r"multiply by three until"),
    Task("Is Theorem 1 true?", search="is Theorem 1 true", answer=r"Not as published"),
    Task("How many points?", search="how many Rosetta points", answer=r"K ?\+ ?1"),
    Task("What is an active unit?", search="active unit", answer=r"posterior mean var"),
    Task("Why is my rate 0?", search="why is my rate 0", answer=r"by the number of pixels"),
    Task("My images are refused as transposed", search="transposed", answer=r"look transposed"),
    Task("What of the papers is reproduced?", ("What is reproduced",), answer=r"Table 1"),
    Task("How do I cite it?", answer=r"@misc"),
]


@pytest.fixture
def page(chromium, address):
    page = chromium.new_page(viewport=dict(width=1400, height=900))
    page.goto(address + "book/index.html")
    yield page
    page.close()


def told(page) -> str:
    """What the page says, folded parts too."""
    return page.locator("article").first.evaluate("article => article.textContent")


def follow(page, link: str) -> None:
    """Click the first link that starts with these words, in the text or at the side."""
    found = page.locator("article a, nav a").filter(
        has_text=re.compile(rf"^\s*[\d. ]*{link}", re.I)
    )
    assert found.count(), f"no link {link!r} on {page.url}"
    page.goto(found.first.evaluate("link => link.href"))


def results_of(page, words: str) -> list[str]:
    """The addresses that a search from this page finds, best first."""
    page.keyboard.press("Control+k")
    page.locator("dialog input[name=q], .search-button__search-container input").first.fill(words)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results ul.search li:nth-child(3)")
    page.wait_for_function("document.querySelector('#search-results p').innerText != ''")
    links = page.locator("#search-results ul.search > li > a")
    return links.evaluate_all("links => links.map(link => link.href)")[:RESULTS]


def test_there_are_a_dozen():
    assert len(TASKS) >= 12 and all(len(task.clicks) <= 2 for task in TASKS)


@pytest.mark.parametrize("task", TASKS, ids=[task.question for task in TASKS])
def test_a_reader_finds_the_answer(page, task):
    for link in task.clicks:
        follow(page, link)
    seen = [page.url]
    if task.search:
        seen = results_of(page, task.search)
    for url in seen:
        page.goto(url)
        if re.search(task.answer, told(page)):
            return
    pytest.fail(f"{task.question} is not answered on {seen}")
