"""Texts from files and from a grammar, as tokens in three parts, for `data.load` and for one's own.

Bae et al. (2023), Section 5.2: the Yahoo answers in the form of He et al. (2019), one text a line.
Letters: N texts, T tokens of the longest with its end token.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import is_whole
from rvae_lite.data.dataset import PARTS, TEST, TRAIN, VALID, Dataset, numbered
from rvae_lite.data.folders import folder_of, info_of, sources, verified
from rvae_lite.publishing import expanded
from rvae_lite.readers.files import opened
from rvae_lite.text import grammar
from rvae_lite.text.vocabulary import SPECIAL, UNKNOWN, Vocabulary

LONGEST = 2**26  # bytes of a line
CONTROL = re.compile(r"[\x00-\x08\x0d-\x1b\x7f]")
WORD = re.compile(r"\S+")
RARE = re.compile(r"(?<!\S)_UNK(?!\S)")  # what stands for rare words in the Yahoo answers


class Texts(NamedTuple):
    """What `read_texts` found."""

    texts: list[str]  # N texts, words separated by spaces
    labels: list[str]  # what stood before a tab in a labelled file, else N empty texts
    lines: np.ndarray  # line of the file that holds each, counted from 1, (N,)
    skipped: dict[str, int]  # how many were left out, by reason: "empty", "long"


def read_texts(
    path, *, max_words: int = 200, on_long: str = "refuse", labelled: bool = False
) -> Texts:
    """Read a text file in UTF-8: a text a line, words between spaces.  Empty lines are skipped.

    Args:
        max_words: the longest text, in words.
        on_long: "refuse" a longer one, "skip" it, or "cut" it off.
        labelled: a line holds a label, a tab, and the text.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no regular file; bytes that are no UTF-8, control characters, a text too long, a
            missing label: the line is named.
    """
    ways = ("refuse", "skip", "cut")
    if on_long not in ways:
        raise ValueError(f"on_long must be one of {ways}, not {on_long!r}")
    if not is_whole(max_words) or max_words < 1:
        raise ValueError(f"max_words must be a positive integer, not {max_words!r}")
    texts, labels, lines, skipped = [], [], [], dict(empty=0, long=0)
    for line, content in enumerate(_lines(expanded(path)), start=1):
        label, tab, text = content.partition("\t") if labelled else ("", "", content)
        if labelled and not tab and content.strip():
            defect = f"line {line} of {path} has no tab between label and text"
            raise ValueError(f"{defect}: say labelled=False")
        words = text.split(maxsplit=max_words)  # the last holds all that follow
        if len(words) > max_words and on_long == "refuse":
            count = sum(1 for _ in WORD.finditer(text))
            defect = f"line {line} of {path} has {count} words, max_words is {max_words}"
            raise ValueError(f"{defect}: raise max_words, or say on_long='skip' or 'cut'")
        if not words:
            skipped["empty"] += 1
        elif len(words) > max_words and on_long == "skip":
            skipped["long"] += 1
        else:
            texts.append(" ".join(words[:max_words]))
            labels.append(label)
            lines.append(line)
    if not texts:
        raise ValueError(f"{path} holds no texts: check that it is the right file")
    return Texts(texts, labels, np.array(lines), skipped)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, without their ends, one at a time."""
    start = 0
    with opened(path, "file") as file:
        # Not str.splitlines, which also cuts at characters that editors do not count as ends.
        for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
            if len(line) == LONGEST:
                defect = f"line {number} of {path} has {LONGEST / 2**20:g} MiB or more"
                raise ValueError(f"{defect}: check that it is a text file")
            try:
                text = line.decode("utf-8").removeprefix("" if start else "\ufeff")
            except UnicodeDecodeError as error:
                at, byte = start + error.start, error.object[error.start]
                found = f"{path} is no UTF-8: byte {at}, on line {number}, is 0x{byte:02x}"
                raise ValueError(f"{found}: save the file in UTF-8") from error
            text = unicodedata.normalize("NFC", text.removesuffix("\n").removesuffix("\r"))
            if control := CONTROL.search(text):
                found = f"line {number} of {path} holds the control character {control[0]!r}"
                raise ValueError(f"{found}: remove it, or check that it is a text file")
            start += len(line)
            yield text


def dataset_of(
    parts: list[Texts], *, info: dict, max_vocabulary: int | None = None, on_unknown: str = "map"
) -> Dataset:
    """Texts as a data set of tokens: x (N, T) int64, all of one T.

    Args:
        parts: training texts and, if there are any, validation and test texts.
        info: name, title, source, licence; gains `parts`, `vocabulary` (all tokens), `skipped`.
        max_vocabulary: words kept, the most frequent in the training texts; by default all.
        on_unknown: "map" other words to the unknown token, or "refuse" them.
    """
    vocabulary = Vocabulary.of(parts[0].texts, max_words=max_vocabulary)
    texts, names, ids, part, skipped = [], [], [], [], dict(empty=0, long=0)
    for value, own in enumerate(parts, start=TRAIN):
        texts += own.texts
        names += own.labels
        ids += [f"{PARTS[value - 1]}-{line}" for line in own.lines]
        part += [value] * len(own.texts)
        for reason, count in own.skipped.items():
            skipped[reason] += count
    x = vocabulary.encode(texts, on_unknown=on_unknown)
    labels = np.unique(names, return_inverse=True)[1].astype(np.int64)
    info = dict(info, value_range=None, parts=PARTS, vocabulary=vocabulary.words, skipped=skipped)
    return Dataset(x, labels, np.array(ids), np.array(part), info)


def load_grammar_sentences(
    *, seed: int = 0, num_train: int = 8000, num_valid: int = 1000, num_test: int = 2000
) -> Dataset:
    """Sentences drawn independently from the book's grammar; labels count its topics and numbers.

    `info` holds the grammar's exact `entropy` (nats per sentence).  Test sentences are fresh draws:
    some of the frequent ones are among the training sentences too, as they should be.

    seed: of the draws; num_train, num_valid, num_test: sentences in each part.
    """
    counts = dict(num_train=num_train, num_valid=num_valid, num_test=num_test)
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be positive, not {count}")
    source = grammar.everyday()
    drawn = source.draw(sum(counts.values()), random=np.random.default_rng(seed))
    vocabulary = Vocabulary([*SPECIAL, *source.words])
    x = vocabulary.encode(drawn.texts, length=source.max_length + 1)
    part = np.repeat([TRAIN, VALID, TEST], list(counts.values()))
    more = dict(parts=PARTS, vocabulary=vocabulary.words, entropy=source.entropy)
    info = info_of("grammar_sentences", value_range=None, **more)
    return Dataset(x, drawn.first, numbered("sentence", len(x)), part, info)


def load_yahoo(
    *, root=None, max_words: int = 200, max_vocabulary: int = 20_000, on_long: str = "refuse"
) -> Dataset:
    """Yahoo answers as He et al. (2019) cut them: a text a line, perhaps after a label and a tab.

    Files: <root>/yahoo/yahoo.train.txt, yahoo.valid.txt and yahoo.test.txt.  Words beyond the
    vocabulary, which is that of the training texts, become the unknown token.

    max_words, on_long: as in `read_texts`; max_vocabulary: number of words kept.
    """
    parts = []
    with folder_of("yahoo", root) as folder:
        for name in sources()["yahoo"]["files"]:
            with opened(folder / name, "file") as file:
                labelled = b"\t" in file.readline(LONGEST)
            options = dict(max_words=max_words, on_long=on_long, labelled=labelled)
            parts.append(read_texts(folder / name, **options))
    return dataset_of(parts, info=info_of("yahoo"), max_vocabulary=max_vocabulary)


def load_yahoo_part(
    *, root=None, max_words: int = 200, max_vocabulary: int = 20_000, on_long: str = "refuse"
) -> Dataset:
    """Yahoo answers, trained on the 10,000 published validation lines; 10,000 texts for the test.

    Files: <root>/yahoo_part/valid.txt and test.txt; their word _UNK is the unknown token.

    max_words, on_long, max_vocabulary: as in `load_yahoo`.
    """
    found = []
    with folder_of("yahoo_part", root) as folder:
        for name in sources()["yahoo_part"]["files"]:
            verified("yahoo_part", folder / name)
            found.append(read_texts(folder / name, max_words=max_words, on_long=on_long))
            found[-1].texts[:] = [RARE.sub(SPECIAL[UNKNOWN], text) for text in found[-1].texts]
    parts = [found[0], Texts([], [], np.array([]), {}), found[1]]
    return dataset_of(parts, info=info_of("yahoo_part"), max_vocabulary=max_vocabulary)
