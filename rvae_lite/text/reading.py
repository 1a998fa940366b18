"""Texts from files and from a grammar, as tokens in three parts, for `data.load` and for one's own.

Bae et al. (2023), Section 5.2: the Yahoo answers in the form of He et al. (2019), one text a line.
Letters: N texts, T tokens of the longest with its end token.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.data.dataset import PARTS, TEST, TRAIN, VALID, Dataset
from rvae_lite.data.folders import another_root, data_root, permission_explained
from rvae_lite.text import grammar
from rvae_lite.text.vocabulary import SPECIAL, Vocabulary

YAHOO_FILES = ("yahoo.train.txt", "yahoo.valid.txt", "yahoo.test.txt")
YAHOO_WORDS = 20_000
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
PARAGRAPH = re.compile(r"\S(?:.|\n(?!\s*\n))*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Texts(NamedTuple):
    """What `read_texts` found.

    texts: N texts, words separated by spaces.
    labels: what stood before a tab in a labelled file, N texts; empty ones otherwise.
    lines: line of the file on which each begins, counted from 1, (N,).
    skipped: how many were left out, by reason: "empty", "long".
    """

    texts: list[str]
    labels: list[str]
    lines: np.ndarray
    skipped: dict[str, int]


def read_texts(
    path,
    *,
    unit: str = "line",
    max_words: int = 200,
    on_long: str = "refuse",
    on_empty: str = "skip",
    labelled: bool = False,
) -> Texts:
    """Read a text file in UTF-8.

    Args:
        path: the file.
        unit: "line": a text a line, words as they are between spaces; or "sentence": plain prose, cut after full
            stops, question and exclamation marks and at empty lines, in lower case, punctuation apart.
        max_words: the longest text, in words.
        on_long: "refuse" a longer one, "skip" it, or "cut" it off.
        on_empty: "skip" an empty line, or "refuse" it.
        labelled: a line holds a label, a tab, and the text.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: bytes that are no UTF-8, a text too long or empty, a missing label: the line is named.
    """
    _one_of("unit", unit, ("line", "sentence"))
    _one_of("on_long", on_long, ("refuse", "skip", "cut"))
    _one_of("on_empty", on_empty, ("refuse", "skip"))
    if max_words < 1:
        raise ValueError(f"max_words must be positive, not {max_words}")
    path = Path(path)
    pieces = _sentences(_decoded(path)) if unit == "sentence" else _lines(_decoded(path))
    texts, labels, lines, skipped = [], [], [], dict(empty=0, long=0)
    for line, piece in pieces:
        label, words = _parted(path, line, piece, labelled)
        if not words and on_empty == "refuse":
            raise ValueError(f"line {line} of {path} is empty: say on_empty='skip', or delete it")
        if len(words) > max_words and on_long == "refuse":
            remedy = "raise max_words, or say on_long='skip' or 'cut'"
            raise ValueError(
                f"line {line} of {path} has {len(words)} words, max_words is {max_words}: {remedy}"
            )
        reason = (
            "empty"
            if not words
            else "long"
            if len(words) > max_words and on_long == "skip"
            else None
        )
        if reason:
            skipped[reason] += 1
            continue
        texts.append(" ".join(words[:max_words]))
        labels.append(label)
        lines.append(line)
    if not texts:
        raise ValueError(f"{path} holds no texts: check that it is the right file")
    return Texts(texts, labels, np.array(lines), skipped)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {known}, not {value!r}")


def _decoded(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: check the path")
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is no UTF-8: byte {error.start}, on line {line}, is 0x{content[error.start]:02x}: "
            f"save the file in UTF-8"
        ) from error


def _lines(text: str) -> list[tuple[int, str]]:
    # Not str.splitlines, which also cuts at characters that editors do not count as ends of lines.
    lines = text.split("\n")
    return list(enumerate(lines[:-1] if lines[-1] == "" else lines, start=1))


def _sentences(text: str) -> list[tuple[int, str]]:
    """The line on which each sentence begins, and its words and punctuation separated by spaces."""
    found = []
    for paragraph in PARAGRAPH.finditer(text):
        begin = paragraph.start()
        for sentence in SENTENCE_END.split(paragraph.group()):
            begin = text.index(sentence, begin)
            found.append((text.count("\n", 0, begin) + 1, " ".join(WORD.findall(sentence.lower()))))
            begin += len(sentence)
    return found


def _parted(path: Path, line: int, piece: str, labelled: bool) -> tuple[str, list[str]]:
    label, tab, text = piece.partition("\t") if labelled else ("", "\t", piece)
    if not tab and piece.strip():
        raise ValueError(
            f"line {line} of {path} has no tab between label and text: say labelled=False"
        )
    return label, text.split()


def dataset_of(
    parts: Sequence[Texts],
    *,
    info: dict,
    max_vocabulary: int | None = None,
    on_unknown: str = "map",
) -> Dataset:
    """Texts as a data set of tokens: x (N, T) int64, all of one T.

    Args:
        parts: training texts and, if there are any, validation and test texts.
        info: name, title, source and licence; added are `parts`, `vocabulary` (the list of all tokens' texts) and
            `skipped`.
        max_vocabulary: words kept, the most frequent in the training texts; by default all of them.
        on_unknown: "map" other words to the unknown token, or "refuse" them.
    """
    vocabulary = Vocabulary.of(parts[0].texts, max_words=max_vocabulary)
    texts = [text for part in parts for text in part.texts]
    names = [label for part in parts for label in part.labels]
    labels = np.unique(names, return_inverse=True)[1].astype(np.int64)
    part = np.repeat([TRAIN, VALID, TEST][: len(parts)], [len(part.texts) for part in parts])
    ids = np.array([f"{PARTS[p]}-{line}" for p, own in enumerate(parts) for line in own.lines])
    skipped = {
        reason: sum(own.skipped.get(reason, 0) for own in parts) for reason in ("empty", "long")
    }
    x = vocabulary.encode(texts, on_unknown=on_unknown)
    info = dict(info, value_range=None, parts=PARTS, vocabulary=vocabulary.words, skipped=skipped)
    return Dataset(x, labels, ids, part, info)


def load_grammar_sentences(
    *, seed: int = 0, num_train: int = 8000, num_valid: int = 1000, num_test: int = 2000, **_
) -> Dataset:
    """Sentences drawn independently from the book's grammar; the labels count its topics times numbers.

    `info` holds the grammar's exact `entropy` (nats per sentence).  Test sentences are fresh draws: some of the
    frequent ones are among the training sentences too, as they should be.

    Args:
        seed: of the draws.
        num_train, num_valid, num_test: sentences in each part.
    """
    counts = dict(num_train=num_train, num_valid=num_valid, num_test=num_test)
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be positive, not {count}")
    source = grammar.everyday()
    drawn = source.draw(sum(counts.values()), random=np.random.default_rng(seed))
    vocabulary = Vocabulary([*SPECIAL, *source.words])
    info = dict(
        name="grammar_sentences",
        title="grammar sentences",
        source="generated here, from a probabilistic grammar",
        licence="none needed",
        value_range=None,
        stands_for="Yahoo answers",
        parts=PARTS,
        vocabulary=vocabulary.words,
        entropy=source.entropy,
    )
    x = vocabulary.encode(drawn.texts, length=source.max_length + 1)
    ids = np.char.add("sentence", np.arange(len(x)).astype(str))
    return Dataset(
        x, drawn.first, ids, np.repeat([TRAIN, VALID, TEST], list(counts.values())), info
    )


def load_yahoo(
    *,
    root=None,
    max_words: int = 200,
    max_vocabulary: int = YAHOO_WORDS,
    on_long: str = "refuse",
    **_,
) -> Dataset:
    """Yahoo answers as He et al. (2019) cut them: a text a line, with or without a label and a tab before it.

    Files: <root>/yahoo/yahoo.train.txt, yahoo.valid.txt and yahoo.test.txt.  Words beyond the vocabulary, which is
    that of the training texts, become the unknown token.

    Args:
        root: folder of the data sets.
        max_words: the longest text, in words.
        max_vocabulary: number of words kept.
        on_long: "refuse" a longer text, "skip" it, or "cut" it off.
    """
    root = data_root(root)
    folder = root / "yahoo"
    with permission_explained(root):
        missing = [name for name in YAHOO_FILES if not (folder / name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"the Yahoo answers are not in {folder}: put {', '.join(missing)}, from the data of He et al. (2019), "
                f"Lagging Inference Networks, there, or {another_root()}"
            )
        options = dict(max_words=max_words, on_long=on_long)
        parts = [
            read_texts(folder / name, labelled=_has_tab(folder / name), **options)
            for name in YAHOO_FILES
        ]
    info = dict(
        name="yahoo",
        title="Yahoo answers",
        source="Z. Yang et al. (2017), in the form of J. He et al. (2019)",
        licence="not stated by its source",
    )
    return dataset_of(parts, info=info, max_vocabulary=max_vocabulary)


def _has_tab(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\t" in file.readline()
