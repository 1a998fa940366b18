"""Claims stop where they are false; fingerprints and provenance are one line each."""

from types import SimpleNamespace

import numpy as np
import pytest

import rvae_lite
from rvae_lite.reporting import claims


def printed(capsys, *claim, **bounds):
    claims.check(*claim, **bounds)
    return capsys.readouterr().out.rstrip("\n")


def test_a_claim_shows_its_value_and_its_bound(capsys):
    assert printed(capsys, 0.000412, "distance", below=0.01) == "✓ distance: 0.00041, below 0.01"
    assert printed(capsys, 34.2, "times", above=30) == "✓ times: 34, above 30"
    assert printed(capsys, 3, "lost runs", at_most=3) == "✓ lost runs: 3, at most 3"
    assert (
        printed(capsys, 3, "runs", at_least=1, at_most=4) == "✓ runs: 3, at most 4 and at least 1"
    )
    assert printed(capsys, 0.2, "share", between=(0, 0.5)) == "✓ share: 0.2, between 0 and 0.5"
    assert printed(capsys, 1.004, "ratio", near=1) == "✓ ratio: 1, within 0.01 of 1"
    assert printed(capsys, [3, 4], "ranks", equals=[3, 4]) == "✓ ranks: [3, 4]"
    assert printed(capsys, 2e-16, "difference", below=1e-9, digits=0) == "✓ difference: below 1e-09"
    assert printed(capsys, 1234.5, "nats", above=1000, digits=3) == "✓ nats: 1.23e+03, above 1000"


def test_a_bound_is_told_exactly_enough(capsys):
    assert printed(capsys, 1.0, "x", below=1.05) == "✓ x: 1, below 1.05"


def test_of_several_values_all_must_keep_the_bound(capsys):
    assert printed(capsys, np.array([[0.1, 0.34]]), "x", below=1) == "✓ x: 0.1 to 0.34, below 1"
    with pytest.raises(AssertionError, match="x: 0.1 to 2, not below 1"):
        claims.check([0.1, 2], "x", below=1)
    with pytest.raises(ValueError, match="the claim 'x' has no value: it is empty"):
        claims.check([], "x", below=1)


@pytest.mark.parametrize(
    "value, bound",
    [
        (2, dict(below=2)),
        (2, dict(above=2)),
        (2, dict(at_most=1)),
        (2, dict(at_least=3)),
        (2, dict(between=(2, 3))),
        (2, dict(near=1, within=0.5)),
        (2, dict(equals=3)),
        (float("nan"), dict(below=1)),
        (float("nan"), dict(between=(0, 1))),
        (float("nan"), dict(near=1)),
        (2, dict(above=1, below=2)),
    ],
)
def test_a_claim_that_is_false_stops(value, bound):
    with pytest.raises(AssertionError, match="not true here: two: (2|nan), not "):
        claims.check(value, "two", **bound)


def test_a_claim_without_a_bound_is_refused_by_name():
    with pytest.raises(
        ValueError, match="the claim 'it is so' has no bound: give one of above=, at_least="
    ):
        claims.check(True, "it is so")


@pytest.mark.parametrize("other", [dict(below=3), dict(between=(1, 3)), dict(near=2)])
def test_a_claim_of_equality_takes_no_other_bound(other):
    with pytest.raises(ValueError, match="'two' has equals= beside another bound: give one"):
        claims.check(2, "two", equals=2, **other)


def test_an_answer_stands_beside_the_expected_one(capsys):
    claims.answer(None, 0.4321)
    claims.answer(0.43212, 0.43208)
    claims.answer(0.5, 0.4321)
    claims.answer("smaller", "smaller")
    assert capsys.readouterr().out.splitlines() == [
        "yours: nothing yet",
        "yours: 0.432, expected: 0.432 ✓",
        "yours: 0.5, expected: 0.432",
        "yours: smaller, expected: smaller ✓",
    ]


def test_a_fingerprint_has_the_last_terms_to_three_digits(capsys):
    names = ("loss", "distortion", "rate", "anchor_x", "anchor_z")
    terms = {name: np.array([[9.0, 9.0], [k + 0.12345, 10.0 * k]]) for k, name in enumerate(names)}
    trained = SimpleNamespace(terms=terms, rho=np.array([0.0, 1.0]), num_epochs=2)
    claims.fingerprint(trained)
    claims.fingerprint(trained, replica=1)
    assert capsys.readouterr().out.splitlines() == [
        "fingerprint after 2 epochs: loss 0.123, distortion 1.12, rate 2.12",
        "fingerprint after 2 epochs: loss 0, distortion 10, rate 20, anchors 30 and 40",
    ]


def test_provenance_names_the_version_and_what_it_is_told(capsys):
    claims.provenance(data="digits")
    assert capsys.readouterr().out == f"rvae_lite: {rvae_lite.__version__}; data: digits\n"
