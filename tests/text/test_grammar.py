"""Sentences from a grammar: probabilities and entropy against enumeration, sampling and hand."""

import math

import numpy as np
import pytest

from rvae_lite.text.grammar import TOPICS, Grammar, everyday

SMALL = {
    "S": [(0.5, "A B"), (0.3, "A A"), (0.2, "")],
    "A": [(0.25, "x"), (0.75, "y B")],
    "B": [(0.9, "u"), (0.1, "v w")],
}
AMBIGUOUS = {"S": [(0.5, "A A"), (0.5, "A")], "A": [(0.4, "x"), (0.6, "x x")]}


def entropy_of(probabilities):
    return -math.fsum(p * math.log(p) for p in probabilities)


def test_entropy_and_lengths_are_those_of_the_enumerated_sentences():
    grammar = Grammar(SMALL)
    texts, probabilities = zip(*grammar.enumerated(), strict=True)
    assert len(set(texts)) == len(texts) == 3 * 2 + 3 * 3 + 1 and "" in texts
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-12)
    assert grammar.entropy == pytest.approx(entropy_of(probabilities), abs=1e-12)
    lengths = [len(text.split()) for text in texts]
    assert grammar.max_length == max(lengths)
    assert grammar.mean_length == pytest.approx(np.dot(lengths, probabilities), abs=1e-12)


def test_log_probability_is_the_enumerated_one_and_minus_infinity_elsewhere():
    grammar = Grammar(SMALL)
    for text, probability in grammar.enumerated():
        assert grammar.log_probability(text) == pytest.approx(math.log(probability), abs=1e-12)
    for text in ("x", "u x", "x u u", "z", "y v"):
        assert grammar.log_probability(text) == -math.inf


def test_log_probability_adds_up_over_the_derivations_of_an_ambiguous_sentence():
    grammar, summed = Grammar(AMBIGUOUS), {}
    for text, probability in grammar.enumerated():
        summed[text] = summed.get(text, 0) + probability
    assert len(summed) < len(list(grammar.enumerated()))
    for text, probability in summed.items():
        assert grammar.log_probability(text) == pytest.approx(math.log(probability), abs=1e-12)


def test_the_books_grammar_is_unambiguous_and_its_entropy_that_of_all_its_sentences():
    grammar = everyday()
    texts, probabilities = zip(*grammar.enumerated(), strict=True)
    assert len(set(texts)) == len(texts) == 300_000
    assert grammar.entropy == pytest.approx(entropy_of(probabilities), abs=1e-9)
    assert grammar.max_length == max(len(text.split()) for text in texts)


def test_the_books_grammar_meets_its_entropy_and_length_in_a_draw():
    grammar = everyday()
    drawn = grammar.draw(4000, random=np.random.default_rng(0))
    surprise = -np.array([grammar.log_probability(text) for text in drawn.texts])
    assert abs(surprise.mean() - grammar.entropy) < 3 * surprise.std() / np.sqrt(4000)
    lengths = np.array([len(text.split()) for text in drawn.texts])
    assert abs(lengths.mean() - grammar.mean_length) < 3 * lengths.std() / np.sqrt(4000)
    shares = np.bincount(drawn.first, minlength=8) / 4000
    expected = np.array(
        [topic["share"] * share for topic in TOPICS.values() for share in (0.6, 0.4)]
    )
    assert (np.abs(shares - expected) < 4 * np.sqrt(expected / 4000)).all()


def test_subject_and_verb_of_the_books_grammar_agree():
    probability = everyday().log_probability
    assert probability("every tall cook stirs the soup in the kitchen") > -math.inf
    assert probability("two pupils copy the red letter today") > -math.inf
    for text in ("every cook stir the soup", "two cooks stirs the soup", "a cook steers the ship"):
        assert probability(text) == -math.inf


def test_draws_depend_on_the_generator_alone():
    grammar = Grammar(SMALL)
    one, again, other = (grammar.draw(50, random=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.texts == again.texts != other.texts
    assert np.array_equal(one.first == 2, [text == "" for text in one.texts])


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"S": [(0.5, "a"), (0.4, "b")]},
            "probabilities of 'S' must be positive and add up to 1, not to 0.9",
        ),
        ({"S": [(1.5, "a"), (-0.5, "b")]}, "probabilities of 'S' must be positive"),
        ({"S": [(0.5, "a"), (0.5, "B")], "B": [(1.0, "S c")]}, "symbol 'S' can contain itself"),
        ({"T": [(1.0, "a")]}, r"start must be one of the symbols \['T'\], not 'S'"),
    ],
)
def test_grammars_that_make_no_sense_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        Grammar(rules)
