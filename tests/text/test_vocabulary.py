"""Words as integers and back."""

import numpy as np
import pytest
import torch

from rvae_lite.models.lengths import trim
from rvae_lite.text.vocabulary import END, PAD, SPECIAL, UNKNOWN, Vocabulary, buckets, lengths

TEXTS = ["the end of the day", "a day", "of the night"]


def test_words_are_ranked_by_frequency_and_then_by_the_alphabet():
    vocabulary = Vocabulary.of(TEXTS)
    assert (
        vocabulary.words == [*SPECIAL, "the", "day", "of", "a", "end", "night"]
        and len(vocabulary) == 10
    )
    assert Vocabulary.of(TEXTS, max_words=2).words == [*SPECIAL, "the", "day"]


def test_texts_come_back_from_their_tokens():
    vocabulary = Vocabulary.of(TEXTS)
    tokens = vocabulary.encode(TEXTS)
    assert tokens.shape == (3, 6) and tokens.dtype == np.int64
    assert tokens[1].tolist() == [7, 5, END, PAD, PAD, PAD]
    assert vocabulary.decode(tokens) == vocabulary.decode(torch.from_numpy(tokens)) == TEXTS
    assert vocabulary.encode(TEXTS, length=9).shape == (3, 9)
    assert lengths(tokens).tolist() == [6, 3, 4]


def test_unknown_words_are_refused_or_mapped():
    vocabulary = Vocabulary.of(TEXTS)
    with pytest.raises(
        ValueError,
        match="text 1 has the unknown word 'noon': say on_unknown='map', or add it to the words",
    ):
        vocabulary.encode(["a day", "the noon"])
    tokens = vocabulary.encode(["a day", "the noon"], on_unknown="map")
    assert (
        tokens[1].tolist() == [4, UNKNOWN, END] and vocabulary.decode(tokens)[1] == "the <unknown>"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda v: v.encode(["a", "a day of"], length=3),
            "text 1 has 3 words, and must have 1 to 2: leave it out",
        ),
        (lambda v: v.encode(["a", " "]), "text 1 has 0 words"),
        (
            lambda v: v.encode(["a <end> day"]),
            "text 0 has the word '<end>', which is a special token: rename it",
        ),
        (
            lambda v: v.encode(["a"], on_unknown="skip"),
            "on_unknown must be 'refuse' or 'map', not 'skip'",
        ),
        (lambda v: Vocabulary.of(["a"], max_words=0), "max_words must be positive, not 0"),
        (
            lambda v: Vocabulary(["a", "b"]),
            "words must begin with <pad>, <start>, <end>, <unknown>",
        ),
        (
            lambda v: Vocabulary([*SPECIAL, "a", "a"]),
            "words must differ from each other, but 'a' occurs twice",
        ),
    ],
)
def test_what_cannot_be_encoded_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(Vocabulary.of(TEXTS))


def test_buckets_hold_every_sentence_once_and_are_sorted_by_length():
    tokens = Vocabulary.of(TEXTS).encode(TEXTS)
    groups = buckets(tokens, size=2)
    assert [group.tolist() for group in groups] == [[1, 2], [0]]
    assert [trim(tokens[group]).shape for group in groups] == [(2, 4), (1, 6)]
    assert trim(torch.from_numpy(tokens[groups[0]])).shape == (2, 4)
