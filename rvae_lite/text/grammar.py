"""Sentences from a small probabilistic grammar, whose entropy and probabilities are exact.

They stand in for the Yahoo answers of Bae et al. (2023), Section 5.2; for the entropy of a grammar see Cover & Thomas
(2006), Chapter 2: the chain rule along a derivation.  Nats throughout.  Letters: N sentences.
"""

import math
from bisect import bisect
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

Rules = dict[str, list[tuple[float, str]]]


class Sentences(NamedTuple):
    """Sentences drawn from a grammar.

    texts: N texts, words separated by a space.
    first: which of the start symbol's rules each came from, (N,).
    """

    texts: list[str]
    first: np.ndarray


class Grammar:
    """A probabilistic context-free grammar without recursion, so that its sentences are finitely many.

    A symbol is replaced by one of its rules, drawn with the rule's probability, until only words are left.  In an
    unambiguous grammar every sentence has one derivation; its probability is the product of the rules', and the
    entropy of sentences that of derivations.

    Args:
        rules: symbol -> list of (probability, what replaces it: symbols and words, separated by spaces).
        start: the symbol that every derivation begins with.

    Raises:
        ValueError: probabilities that do not add up to 1, a symbol that can contain itself, or no rules for `start`.

    Example:
        >>> coin = Grammar({"S": [(0.5, "heads"), (0.5, "tails")]})
        >>> coin.entropy == math.log(2)
        True
    """

    def __init__(self, rules: Rules, *, start: str = "S"):
        self.start = start
        self.rules = {
            symbol: [(float(p), tuple(text.split())) for p, text in own]
            for symbol, own in rules.items()
        }
        if start not in rules:
            raise ValueError(f"start must be one of the symbols {sorted(rules)}, not {start!r}")
        for symbol, own in self.rules.items():
            total = sum(p for p, _ in own)
            if not all(p > 0 for p, _ in own) or abs(total - 1) > 1e-9:
                raise ValueError(
                    f"probabilities of {symbol!r} must be positive and add up to 1, not to {total:g}"
                )
        self._bottom_up = self._ordered()
        self._cumulative = {
            symbol: np.cumsum([p for p, _ in own]).tolist() for symbol, own in self.rules.items()
        }

    def _ordered(self) -> list[str]:
        """The symbols, each after all that it can contain."""
        ordered: list[str] = []

        def visit(symbol: str, above: tuple[str, ...]) -> None:
            if symbol in above:
                raise ValueError(
                    f"symbol {symbol!r} can contain itself: a grammar here has finitely many sentences"
                )
            if symbol in ordered or symbol not in self.rules:
                return
            for _, parts in self.rules[symbol]:
                for part in parts:
                    visit(part, (*above, symbol))
            ordered.append(symbol)

        for symbol in self.rules:
            visit(symbol, ())
        return ordered

    def _summed(self, own, word: float) -> float:
        """sum over the start's derivations of p * (own(p) + what the parts contribute), a word counting `word`."""
        values: dict[str, float] = {}
        for symbol in self._bottom_up:
            each = (
                (p, own(p) + sum(values.get(part, word) for part in parts))
                for p, parts in self.rules[symbol]
            )
            values[symbol] = math.fsum(p * value for p, value in each)
        return values[self.start]

    @cached_property
    def entropy(self) -> float:
        """H = sum over symbols of (how often it is expected) * (entropy of its rules), nats per sentence."""
        return self._summed(lambda p: -math.log(p), 0.0)

    @cached_property
    def mean_length(self) -> float:
        """Expected number of words in a sentence."""
        return self._summed(lambda p: 0.0, 1.0)

    @cached_property
    def max_length(self) -> int:
        """Words in the longest sentence."""
        longest: dict[str, int] = {}
        for symbol in self._bottom_up:
            longest[symbol] = max(
                sum(longest.get(part, 1) for part in parts) for _, parts in self.rules[symbol]
            )
        return longest[self.start]

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
        """Every derivation's sentence and probability; in an unambiguous grammar every sentence once."""

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

        for words, p in expansions((self.start,)):
            yield " ".join(words), p

    def log_probability(self, text: str) -> float:
        """log of the sum over a sentence's derivations, nats; -inf where there is none."""
        words, memo = text.split(), {}

        def inside(parts: tuple[str, ...], begin: int) -> dict[int, float]:
            """Where the parts can end if they begin at a word, and with which probability."""
            ends = {begin: 1.0}
            for part in parts:
                following: dict[int, float] = {}
                for at, p in ends.items():
                    for end, q in of(part, at).items():
                        following[end] = following.get(end, 0.0) + p * q
                ends = following
            return ends

        def of(part: str, begin: int) -> dict[int, float]:
            if part not in self.rules:
                return {begin + 1: 1.0} if begin < len(words) and words[begin] == part else {}
            if (part, begin) not in memo:
                found: dict[int, float] = {}
                for p, parts in self.rules[part]:
                    for end, q in inside(parts, begin).items():
                        found[end] = found.get(end, 0.0) + p * q
                memo[part, begin] = found
            return memo[part, begin]

        probability = of(self.start, 0).get(len(words), 0.0)
        return math.log(probability) if probability else -math.inf


TOPICS = {
    "kitchen": dict(
        share=0.35,
        nouns=["cook", "baker", "waiter", "guest", "butcher"],
        verbs=["stirs", "tastes", "serves", "burns"],
        things=["soup", "bread", "sauce", "cake", "stew"],
        place="in the kitchen",
    ),
    "harbour": dict(
        share=0.3,
        nouns=["sailor", "captain", "diver", "pilot", "smuggler"],
        verbs=["repairs", "loads", "steers", "sinks"],
        things=["ship", "ferry", "anchor", "raft", "barge"],
        place="at the harbour",
    ),
    "garden": dict(
        share=0.2,
        nouns=["gardener", "farmer", "florist", "beekeeper", "ranger"],
        verbs=["waters", "plants", "prunes", "admires"],
        things=["rose", "hedge", "lawn", "fern", "willow"],
        place="behind the house",
    ),
    "school": dict(
        share=0.15,
        nouns=["teacher", "pupil", "scholar", "poet", "librarian"],
        verbs=["reads", "copies", "forgets", "explains"],
        things=["poem", "letter", "lesson", "riddle", "atlas"],
        place="after the lesson",
    ),
}
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

    A topic chooses nouns, verbs, things and place; the verb agrees with its subject in number.  A sentence is a path
    of choices that can be read back from its words, so that the grammar is unambiguous.
    """
    rules: Rules = {"S": [], "ADJECTIVE": _ranked(ADJECTIVES), "ADVERB": _ranked(ADVERBS)}
    for number, words in DETERMINERS.items():
        rules[f"DETERMINER_{number}"] = _ranked(words)
    for topic, own in TOPICS.items():
        rules[f"THING_{topic}"] = _ranked(own["things"])
        rules[f"OBJECT_{topic}"] = [(0.6, f"THING_{topic}"), (0.4, f"ADJECTIVE THING_{topic}")]
        rules[f"TAIL_{topic}"] = [(0.4, ""), (0.35, own["place"]), (0.25, "ADVERB")]
        for number, share in NUMBERS.items():
            many, key = number == "many", f"{topic}_{number}"
            rules[f"NOUN_{key}"] = _ranked([noun + "s" * many for noun in own["nouns"]])
            rules[f"VERB_{key}"] = _ranked(
                [_plural(verb) if many else verb for verb in own["verbs"]]
            )
            rules[f"SUBJECT_{key}"] = [(0.6, f"NOUN_{key}"), (0.4, f"ADJECTIVE NOUN_{key}")]
            sentence = (
                f"DETERMINER_{number} SUBJECT_{key} VERB_{key} the OBJECT_{topic} TAIL_{topic}"
            )
            rules["S"].append((own["share"] * share, sentence))
    return Grammar(rules)


def _plural(verb: str) -> str:
    return "copy" if verb == "copies" else verb.removesuffix("s")
