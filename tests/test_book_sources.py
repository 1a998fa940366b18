"""The book is refused in a sentence where a reader would miss something, and reads easily."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from loading import load_file

ROOT = Path(__file__).resolve().parent.parent
layout, readability = load_file("tools/book.py"), load_file("tools/readability.py")
MEDIAN = 18  # words of a sentence
MOST_ALONE = 0.25  # of the claims: values that are rounding errors or differ between processors


def notebook(path, source, **metadata):
    cell = nbformat.v4.new_code_cell(source, metadata=metadata)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return {f"notebooks/{path.name}": path}


# ---------------------------------------------------------------- what is refused


def test_the_book_as_it_stands_has_no_faults():
    assert layout.faults(layout.sources()) == []


def test_a_chapter_without_its_source_is_named(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "root: a\nparts: [{chapters: [{file: b}, {file: c, sections: [{file: d}]}]}]\n"
    )
    (tmp_path / "page.md").write_text("# A page\n")
    files = {"_toc.yml": tmp_path / "_toc.yml", "a.md": tmp_path / "page.md"}
    files["c.md"] = tmp_path / "page.md"
    remedy = "write that page, or take its line out"
    assert layout.faults(files) == [
        f"_toc.yml: {name} has neither {name}.md nor {name}.ipynb: {remedy}" for name in "bd"
    ]


@pytest.mark.parametrize("bounds", ["", ", digits=3"])
def test_a_claim_without_a_bound_is_named(tmp_path, bounds):
    files = notebook(
        tmp_path / "a.ipynb", f"check(2, 'it is two'{bounds})\ncheck(1, 'b', equals=1)"
    )
    (name, path), *_ = files.items()
    (sentence,) = layout.claims_without_bound(name, path)
    assert sentence == (
        "notebooks/a.ipynb: the claim 'it is two' has no bound: give below=, above=, ..."
    )


def test_a_figure_that_no_cell_has_drawn_is_named(tmp_path):
    figure = {"figure": {"name": "fig-a", "caption": "A."}}
    files = notebook(tmp_path / "a.ipynb", "plot()", mystnb=figure)
    (name, path), *_ = files.items()
    assert layout.figures_without_picture(name, path) == [
        "notebooks/a.ipynb: no cell has drawn fig-a: execute the notebook again"
    ]


def test_an_absent_picture_of_a_page_is_named(tmp_path):
    (tmp_path / "a.md").write_text("# A\n```{image} b.svg\n:alt: B.\n```\n")
    assert layout.figures_without_picture("book/a.md", tmp_path / "a.md") == [
        "book/a.md: its picture b.svg is absent: make it, or drop it"
    ]


def test_the_tool_stops_with_the_sentences_alone(tmp_path, monkeypatch):
    (tmp_path / "tools").mkdir()
    for name in ("book.py", "contents.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    (tmp_path / "_toc.yml").write_text("root: book/a\nparts: []\n")
    (tmp_path / "_config.yml").write_text("")
    result = subprocess.run(
        [sys.executable, tmp_path / "tools" / "book.py"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert (
        result.stderr.startswith("_toc.yml: book/a has neither") and "\n" not in result.stderr[:-1]
    )


# ---------------------------------------------------------------- what a reader meets


def ticked(path):
    """The claims that a committed notebook has printed."""
    outputs = [o for cell in json.loads(path.read_text())["cells"] for o in cell.get("outputs", ())]
    printed = "".join("".join(output.get("text", ())) for output in outputs)
    return re.findall(r"^✓.*$", printed, flags=re.MULTILINE)


CLAIMS = {path.stem: ticked(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
BOUND_ALONE = re.compile(r": (below|above|at most|at least|between|within) ")


@pytest.mark.parametrize("name", CLAIMS)
def test_every_ticked_claim_shows_a_value(name):
    assert CLAIMS[name]
    assert [line for line in CLAIMS[name] if not re.search(r": \S", line)] == []


def test_few_claims_show_their_bound_alone():
    claims = [line for lines in CLAIMS.values() for line in lines]
    alone = [line for line in claims if BOUND_ALONE.search(line)]
    assert len(alone) < MOST_ALONE * len(claims), (len(alone), len(claims))


@pytest.mark.parametrize("name", readability.pages())
def test_sentences_are_short(name):
    assert readability.ease(readability.pages()[name]).median <= MEDIAN


def test_reading_ease_is_that_of_the_formula(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(
        "(label)=\n# A title\n\nThe cat sat on the $x^2 + y$ mat. It saw `code()`.\n"
        "```python\nleft = out\n```\n\n| a table | here |\n\n{ref}`One long road <target>` ends.\n"
    )
    found = readability.ease(path)
    assert (found.words, found.sentences, found.median) == (14, 3, 4)
    assert found.flesch == pytest.approx(206.835 - 1.015 * 14 / 3 - 84.6, abs=0.1)


def test_words_are_counted_in_syllables():
    assert [readability.syllables(word) for word in ("cat", "latent", "distortion")] == [1, 2, 3]
