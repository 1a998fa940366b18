"""Sentences from a small probabilistic grammar, whose entropy and probabilities are exact.

They stand in for the Yahoo answers of Bae et al. (2023), Section 5.2; for the entropy of a grammar
see Cover & Thomas (2006), Chapter 2: the chain rule along a derivation.  Nats throughout.
"""

import math
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np

Rules = dict[str, list[tuple[float, str]]]


class Sentences(NamedTuple):
    """Sentences drawn from a grammar."""

    texts: list[str]  # N texts, words separated by a space
    first: np.ndarray  # which of the start symbol's rules each came from, (N,)


class Grammar:
    """A probabilistic context-free grammar without recursion: its sentences are finitely many.

    A symbol is replaced by one of its rules, drawn with the rule's probability, until only words
    are left.  In an unambiguous grammar every sentence has one derivation; its probability is the
    product of the rules', and the entropy of sentences is that of derivations.

    Args:
        rules: symbol -> list of (probability, symbols and words that replace it, with spaces).
        start: the symbol that every derivation begins with.

    Raises:
        ValueError: probabilities that do not add up to 1, a symbol that can contain itself, or no
            rules for `start`.

    Example:
        >>> coin = Grammar({"S": [(0.5, "heads"), (0.5, "tails")]})
        >>> coin.entropy == math.log(2)
        True
    """

    def __init__(self, rules: Rules, *, start: str = "S"):
        if start not in rules:
            raise ValueError(f"start must be one of the symbols {sorted(rules)}, not {start!r}")
        self.start = start
        self.rules, self._cumulative = {}, {}
        for symbol, own in rules.items():
            shares = [float(p) for p, _ in own]
            if not all(p > 0 for p in shares) or abs(sum(shares) - 1) > 1e-9:
                must = "must be positive and add up to 1"
                raise ValueError(f"probabilities of {symbol!r} {must}, not to {sum(shares):g}")
            parts = [tuple(text.split()) for _, text in own]
            self.rules[symbol] = list(zip(shares, parts, strict=True))
            self._cumulative[symbol] = np.cumsum(shares).tolist()
        self._bottom_up = self._ordered()

    def _ordered(self) -> list[str]:
        """The symbols, each after all that it can contain."""
        inner = {}
        for symbol, own in self.rules.items():
            inner[symbol] = {part for _, parts in own for part in parts if part in self.rules}
        try:
            return list(TopologicalSorter(inner).static_order())
        except CycleError as error:
            cycle = f"symbol {error.args[1][-1]!r} can contain itself"
            raise ValueError(f"{cycle}: a grammar here has finitely many sentences") from error

    def _fold(self, combine, *, word: int):
        """The start's value; `combine` makes a symbol's of its rules' (p, sum of parts' values)."""
        values = {}
        for symbol in self._bottom_up:
            rules = []
            for p, parts in self.rules[symbol]:
                rules.append((p, sum(values.get(part, word) for part in parts)))
            values[symbol] = combine(rules)
        return values[self.start]

    @cached_property
    def entropy(self) -> float:
        """H = sum over symbols of E[how often it occurs] * (entropy of its rules), nats."""
        return self._fold(lambda rules: math.fsum(p * (h - math.log(p)) for p, h in rules), word=0)

    @cached_property
    def mean_length(self) -> float:
        """Expected number of words in a sentence."""
        return self._fold(lambda rules: math.fsum(p * length for p, length in rules), word=1)

    @cached_property
    def max_length(self) -> int:
        """Words in the longest sentence."""
        return self._fold(lambda rules: max(length for _, length in rules), word=1)

    @cached_property
    def words(self) -> list[str]:
        """All words, in alphabetical order."""
        parts = {part for own in self.rules.values() for _, parts in own for part in parts}
        return sorted(parts - set(self.rules))

    def draw(self, num: int, *, random: np.random.Generator) -> Sentences:
        """Independent sentences, (num,) of them."""
        texts, first = [], []
        for _ in range(num):
            words: list[str] = []
            first.append(self._expand(self.start, random, words))
            texts.append(" ".join(words))
        return Sentences(texts, np.array(first, dtype=np.int64))

    def _expand(self, symbol: str, random: np.random.Generator, words: list[str]) -> int:
        rules = self.rules[symbol]
        chosen = min(bisect(self._cumulative[symbol], random.random()), len(rules) - 1)
        for part in rules[chosen][1]:
            if part in self.rules:
                self._expand(part, random, words)
            else:
                words.append(part)
        return chosen

    def enumerated(self) -> Iterator[tuple[str, float]]:
        """Sentence and probability of every derivation, of which each sentence may have several."""

        def expansions(parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
            if not parts:
                yield (), 1.0
                return
            for rest, q in expansions(parts[1:]):
                if parts[0] not in self.rules:
                    yield (parts[0], *rest), q
                    continue
                for p, inner in self.rules[parts[0]]:
                    for words, r in expansions(inner):
                        yield words + rest, p * r * q

        return ((" ".join(words), p) for words, p in expansions((self.start,)))

    def log_probability(self, text: str) -> float:
        """log of the sum over a sentence's derivations, nats; -inf where there is none."""
        words = text.split()

        def inside(parts: tuple[str, ...], begin: int) -> dict[int, float]:
            """Where the parts can end if they begin at a word, and with which probability."""
            ends = {begin: 1.0}
            for part in parts:
                following: dict[int, float] = defaultdict(float)
                for at, p in ends.items():
                    for end, q in of(part, at).items():
                        following[end] += p * q
                ends = following
            return ends

        @cache
        def of(part: str, begin: int) -> dict[int, float]:
            if part not in self.rules:
                return {begin + 1: 1.0} if words[begin : begin + 1] == [part] else {}
            found: dict[int, float] = defaultdict(float)
            for p, parts in self.rules[part]:
                for end, q in inside(parts, begin).items():
                    found[end] += p * q
            return found

        probability = of(self.start, 0).get(len(words), 0.0)
        return math.log(probability) if probability else -math.inf


TOPICS = dict(
    kitchen=dict(
        share=0.35,
        nouns=["cook", "baker", "waiter", "guest", "butcher"],
        verbs=["stirs", "tastes", "serves", "burns"],
        things=["soup", "bread", "sauce", "cake", "stew"],
        place="in the kitchen",
    ),
    harbour=dict(
        share=0.3,
        nouns=["sailor", "captain", "diver", "pilot", "smuggler"],
        verbs=["repairs", "loads", "steers", "sinks"],
        things=["ship", "ferry", "anchor", "raft", "barge"],
        place="at the harbour",
    ),
    garden=dict(
        share=0.2,
        nouns=["gardener", "farmer", "florist", "beekeeper", "ranger"],
        verbs=["waters", "plants", "prunes", "admires"],
        things=["rose", "hedge", "lawn", "fern", "willow"],
        place="behind the house",
    ),
    school=dict(
        share=0.15,
        nouns=["teacher", "pupil", "scholar", "poet", "librarian"],
        verbs=["reads", "copies", "forgets", "explains"],
        things=["poem", "letter", "lesson", "riddle", "atlas"],
        place="after the lesson",
    ),
)
PLURAL = dict(copies="copy")  # of the verbs that do not just lose an s
ADJECTIVES = ["tall", "quiet", "red", "clever"]
ADVERBS = ["slowly", "again", "today"]
DETERMINERS = dict(one=["the", "a", "every"], many=["the", "two", "some"])
NUMBERS = dict(one=0.6, many=0.4)


def _ranked(words: list[str]) -> list[tuple[float, str]]:
    """Words with probabilities in proportion to 1, 1/2, 1/3, ..."""
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return [(weight / sum(weights), word) for weight, word in zip(weights, words, strict=True)]


def everyday() -> Grammar:
    """The book's grammar: who does what to what, and perhaps where or how; 300,000 sentences.

    A topic chooses nouns, verbs, things and place; the verb agrees with its subject in number.  The
    choices can be read back from a sentence's words, so the grammar is unambiguous.
    """
    rules: Rules = {"S": [], "ADJECTIVE": _ranked(ADJECTIVES), "ADVERB": _ranked(ADVERBS)}
    for number, words in DETERMINERS.items():
        rules[f"DETERMINER_{number}"] = _ranked(words)
    for topic, own in TOPICS.items():
        rules[f"THING_{topic}"] = _ranked(own["things"])
        rules[f"OBJECT_{topic}"] = [(0.6, f"THING_{topic}"), (0.4, f"ADJECTIVE THING_{topic}")]
        rules[f"TAIL_{topic}"] = [(0.4, ""), (0.35, own["place"]), (0.25, "ADVERB")]
        for number, share in NUMBERS.items():
            key = f"{topic}_{number}"
            nouns, verbs = own["nouns"], own["verbs"]
            if number == "many":
                nouns = [noun + "s" for noun in nouns]
                verbs = [PLURAL.get(verb, verb[:-1]) for verb in verbs]
            rules[f"NOUN_{key}"], rules[f"VERB_{key}"] = _ranked(nouns), _ranked(verbs)
            rules[f"SUBJECT_{key}"] = [(0.6, f"NOUN_{key}"), (0.4, f"ADJECTIVE NOUN_{key}")]
            subject, rest = f"DETERMINER_{number} SUBJECT_{key}", f"OBJECT_{topic} TAIL_{topic}"
            rules["S"].append((own["share"] * share, f"{subject} VERB_{key} the {rest}"))
    return Grammar(rules)
