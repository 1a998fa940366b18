"""How easily the book's pages read: words, median sentence, Flesch's reading ease.

    python tools/readability.py              a line for every page of the table of contents
    python tools/readability.py --save FILE  the same as a CSV
    python tools/readability.py NAME ...     only pages whose name contains one of these

Formulas, code, tables, links' targets and directives do not count.  Flesch's ease is 206.8 minus
1.015 times the words a sentence minus 84.6 times the syllables a word: 60 is plain English.
Syllables are counted as the places where a word may be hyphenated.
"""

import argparse
import csv
import re
import statistics
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import contents

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = (
    r"(?ms)^(`{3,}|\$\$).*?^\1.*?$",  # code, displayed formulas
    r"(?m)^\s*(:{3,}|:\w[\w-]*:|\||\().*$",  # directives, their options, tables, labels
    r"(?m)^#+ .*$",  # titles
    r"</?[a-z][^>\n]*>",
)
ROLES = re.compile(r"\{[\w:]+\}`([^`<]*?)(?:\s*<[^>]*>)?`")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class Ease(NamedTuple):
    """Of one page: words, sentences, the median words a sentence, Flesch's reading ease."""

    words: int
    sentences: int
    median: float
    flesch: float


@cache
def _dictionary():
    from pyphen import Pyphen

    return Pyphen(lang="en_US")


@cache
def syllables(word: str) -> int:
    return len(_dictionary().positions(word.lower())) + 1


def prose(path: Path) -> str:
    """The text of a page or of a notebook's source, without what is not prose."""
    text = path.read_text()
    if path.suffix == ".py":
        cells = re.findall(r"(?ms)^# %% \[markdown\]\n(.*?)(?=^# %%|\Z)", text)
        text = "\n\n".join(re.sub(r"(?m)^# ?", "", cell) for cell in cells)
    for pattern in LEFT_OUT:
        text = re.sub(pattern, "\n", text)
    text = ROLES.sub(r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\$[^$]+\$", "x", text)
    return re.sub(r"`[^`]*`", "code", text)


def sentences(text: str) -> list[list[str]]:
    """The words of each sentence; a line, a point of a list or a paragraph ends one too."""
    text = re.sub(r"[*_]", "", text)
    pieces = re.split(r"(?<=[.!?:])[)\"”]*\s+|\n\s*(?:\n|[-+]\s|\d+\.\s)", text)
    found = [WORD.findall(piece) for piece in pieces]
    return [words for words in found if len(words) > 2]


def ease(path: Path) -> Ease:
    found = sentences(prose(path))
    words = [word for sentence in found for word in sentence]
    a_word = sum(map(syllables, words)) / max(len(words), 1)
    flesch = 206.835 - 1.015 * len(words) / max(len(found), 1) - 84.6 * a_word
    median = statistics.median(map(len, found)) if found else 0
    return Ease(len(words), len(found), median, round(flesch, 1))


def pages() -> dict[str, Path]:
    """name -> source of the pages in the table of contents; notebooks by their .py."""
    paths = {name: (ROOT / f"{name}.py", ROOT / f"{name}.md") for name in contents.pages()}
    return {
        name: next(p for p in both if p.exists())
        for name, both in paths.items()
        if any(p.exists() for p in both)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    found = {name: ease(path) for name, path in pages().items()}
    if options.names:
        found = {k: v for k, v in found.items() if any(name in k for name in options.names)}
    print(f"{'page':40}{'words':>7}{'sentences':>11}{'median':>8}{'Flesch':>8}")
    for name, (words, number, median, flesch) in found.items():
        print(f"{name:40}{words:7}{number:11}{median:8.1f}{flesch:8.1f}")
    if options.save:
        with options.save.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("page", *Ease._fields))
            writer.writerows((name, *row) for name, row in found.items())


if __name__ == "__main__":
    sys.exit(main())
