"""Claims stop where they are false; fingerprints and provenance are one line each."""

from types import SimpleNamespace

import numpy as np
import pytest

import rvae_lite
from rvae_lite.reporting import claims


def test_a_claim_that_is_false_stops(capsys):
    claims.check("one is one", 1 == 1)
    assert capsys.readouterr().out == "✓ one is one\n"
    with pytest.raises(AssertionError, match="not true here: one is two"):
        claims.check("one is two", 1 == 2)


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
