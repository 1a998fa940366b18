"""What a comparison lets one claim."""

import numpy as np
from workbench import draw

from rvae_lite.lab.claiming import bounds, claims
from rvae_lite.lab.comparing import compare_spaces


def answers(compared, name):
    return {claim.claim: claim.answer for claim in claims(compared, name)}


def test_answers_follow_the_intervals(compared):
    assert set(answers(compared, "near").values()) == {"yes"}
    said = answers(compared, "turned")
    assert said["one space as they are"] == "no" and said["one space up to a rotation"] == "yes"
    assert list(answers(compared, "other").values())[:-1] == ["no"] * 5
    first = draw(60, 1)
    rough = compare_spaces(dict(a=first, b=first + 0.316 * draw(60, 1, seed=1)), num_anchors=9)
    row = rough.pairs.query("source == 'b' and target == 'a' and metric == 'unaligned'").iloc[0]
    assert row.low < 0.1 < row.high
    assert answers(rough, "b")["one space as they are"] == "open"


def test_a_claim_says_what_it_was_measured_on(compared):
    told = {claim.claim: claim.told for claim in claims(compared, "turned")}
    assert told["one space up to a rotation"] == (
        "points lie 0 [0, 0] % of first's variance away, over 135 examples that are no anchors; "
        "the rotation is fitted on 15 anchors"
    )
    assert "nothing is fitted" in told["one space as they are"]
    assert "on 135 examples, each met by the map of all others" in told["told by an affine map"]
    (rival,) = (
        text for claim, text in told.items() if "on 15 anchors, and is the nearest of 4" in text
    )
    assert "rivals on these same examples" in rival
    sentences = " ".join(bounds(compared))
    assert "200 bootstrap resamplings of the examples (seed 0)" in sentences
    assert "Not measured: how other trainings" in sentences


def test_what_was_not_measured_is_no_answer():
    compared = compare_spaces(dict(a=draw(40, 2), b=draw(40, 3, seed=1)), num_anchors=6)
    said = {claim.claim: claim for claim in claims(compared, "b")}
    assert said["one space as they are"][1:] == ("not measured", "K differs")
    assert said["one space up to an affine map"].answer == "no"


def test_few_examples_leave_every_claim_open():
    a = np.repeat(draw(9, 3), 2, 0)
    compared = compare_spaces(dict(a=a, b=a + 1), anchors=np.arange(8))
    assert set(answers(compared, "b").values()) <= {"open", "not measured"}
