"""Ranges and gates: the committed mean losses."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from rvae_lite.studies import sensitivity
from rvae_lite.studies.over_beta import curve_of
from rvae_lite.studies.study import load_results


@pytest.fixture(scope="module")
def own():
    return load_results("sensitivity")


def test_mean_losses_are_over_the_plain_betas_of_a_range_that_is_covered(own):
    losses = sensitivity.mean_losses(own)
    curve = curve_of(own, "FiLM", seed=1)
    at = np.isclose(curve.beta.to_numpy()[:, None], np.geomspace(0.01, 10, 10), rtol=1e-4).any(1)
    assert at.sum() == 10
    assert losses.loc[("FiLM", 1), "β in [0.01, 10]"] == pytest.approx(curve.loss[at].mean())
    narrow = losses.loc["[0.1, 1]"]
    assert narrow["β in [0.01, 10]"].isna().all() and narrow["β in [0.1, 1]"].notna().all()
    typical = sensitivity.mean_losses(own, by=["method"])["β in [0.01, 10]"]
    plain = curve_of(own, "beta-VAE")
    assert typical["beta-VAE"] == pytest.approx(plain.loss.mean())


def test_the_table_says_which_range_a_variant_does_not_cover(own):
    table = sensitivity.study.table(own)
    assert table.loc["[0.01, 1]", "β in [0.01, 10]"] == "—"
    assert table.loc["MR-VAE", "β in [0.1, 1]"] == "14.22 (13.99 to 14.28)"
    axes = sensitivity.study.figure(own, names=list(sensitivity.RANGES))
    assert [len(ax.lines) for ax in axes] == [5, 5]


def test_a_statement_holds_where_the_loss_rises_by_less_than_the_threshold(own):
    found = sensitivity.against_paper(own)
    assert len(found) == 3 and set(found.verdict) == {"agrees"}
    assert set(sensitivity.against_paper(own, most=-1.0).verdict) == {"differs"}
