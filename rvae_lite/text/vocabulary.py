"""Words as integers: a vocabulary, padded tokens, and groups of sentences of similar length.

Bae et al. (2023), Section 5.2, after He et al. (2019).
Letters: N sentences, T tokens of the longest, its end token included.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")


class Vocabulary:
    """Integers for words: a token is a place in `words`, four special tokens, then the words."""

    def __init__(self, words: Sequence[str]):
        self.words = list(words)
        if tuple(self.words[: len(SPECIAL)]) != SPECIAL:
            first = f"words must begin with {', '.join(SPECIAL)}"
            raise ValueError(f"{first}: build a vocabulary with Vocabulary.of")
        self._number = {word: number for number, word in enumerate(self.words)}
        if len(self._number) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            defect = f"words must differ from each other, but {twice[0]!r} occurs twice"
            raise ValueError(f"{defect}: leave one out")

    @classmethod
    def of(cls, texts: Sequence[str], *, max_words: int | None = None) -> "Vocabulary":
        """The words of N texts, the most frequent first, equally frequent ones by the alphabet.

        max_words: keep so many words, special tokens not counted; by default all.

        Example:
            >>> Vocabulary.of(["the end", "the start"]).words[4:]
            ['the', 'end', 'start']
        """
        if max_words is not None and max_words < 1:
            raise ValueError(f"max_words must be positive, not {max_words}")
        counts = Counter(word for text in texts for word in text.split() if word not in SPECIAL)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls([*SPECIAL, *ranked[:max_words]])

    def __len__(self) -> int:
        """V, special tokens included."""
        return len(self.words)

    def encode(
        self, texts: Sequence[str], *, length: int | None = None, on_unknown: str = "refuse"
    ) -> np.ndarray:
        """Texts as tokens (N, T) int64: the words, the end token, then padding.

        Args:
            texts: N texts, words separated by spaces.
            length: T; by default the longest text's, its end token included.
            on_unknown: "refuse" an unknown word, or "map" it to the unknown token.

        Raises:
            ValueError: an unknown word, or a text without words or of more than T - 1 words.
        """
        if on_unknown not in ("refuse", "map"):
            raise ValueError(f"on_unknown must be 'refuse' or 'map', not {on_unknown!r}")
        split = [text.split() for text in texts]
        if length is None:
            length = 1 + max(map(len, split), default=0)
        for number, words in enumerate(split):
            if not 0 < len(words) < length:
                defect = f"text {number} has {len(words)} words, and must have 1 to {length - 1}"
                raise ValueError(f"{defect}: leave it out")
        tokens = np.full((len(split), length), PAD, dtype=np.int64)
        for number, words in enumerate(split):
            tokens[number, : len(words)] = [self._token(word, number, on_unknown) for word in words]
            tokens[number, len(words)] = END
        return tokens

    def _token(self, word: str, number: int, on_unknown: str) -> int:
        token = self._number.get(word)
        if token is None and on_unknown == "refuse":
            remedy = "say on_unknown='map', or add it to the words"
            raise ValueError(f"text {number} has the unknown word {word!r}: {remedy}")
        if word in SPECIAL[:UNKNOWN]:
            defect = f"text {number} has the word {word!r}, which is a special token"
            raise ValueError(f"{defect}: rename it")
        return UNKNOWN if token is None else token

    def decode(self, tokens) -> list[str]:
        """Tokens (N, T) as N texts: what stands before the end token, padding left out."""
        texts = []
        for row in np.asarray(tokens).tolist():
            row = row[: row.index(END)] if END in row else row
            texts.append(" ".join(self.words[token] for token in row if token != PAD))
        return texts


def lengths(tokens) -> np.ndarray:
    """How many tokens each sentence has, its end token included: tokens (N, T) give (N,)."""
    return (np.asarray(tokens) != PAD).sum(1)


def buckets(tokens, *, size: int) -> list[np.ndarray]:
    """Groups of sentences of similar length: positions, at most `size` in each, all sentences once.

    A model's cost grows with T, and padding changes nothing: groups of tokens (N, T), trimmed, give
    the same numbers for less.  Trainings have `models.lengths` for it.
    """
    order = np.argsort(lengths(tokens), kind="stable")
    return [order[begin : begin + size] for begin in range(0, len(order), size)]
