"""One space at every rate: the table holds what it says, and the committed one what was found."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from rvae_lite import VAE, alignment, data
from rvae_lite.studies import one_space
from rvae_lite.studies.one_space import hold
from rvae_lite.studies.setup import BETAS, MR_VAE, Setup
from rvae_lite.studies.study import load_results


@pytest.fixture(scope="module")
def setup():
    methods = {
        "MR-VAE": MR_VAE,
        "plain points": MR_VAE._replace(rho=5.0, at=1.0),
        "curves": MR_VAE._replace(rho=5.0, rho_power=0.5),
    }
    methods["selected at beta 1"] = MR_VAE._replace(rho=5.0, selected_at=(1.0,))
    dataset = data.load("eight_gaussians", num_per_class=30)
    dataset = dataset._replace(x=dataset.x / 40)
    options = dict(
        num_points=8,
        cosine=True,
        epochs=60,
        batch_size=36,
        methods=methods,
        replicas=2,
        learning_rate=1e-2,
    )
    return Setup(dataset, VAE.mlp(5, 2, (16,), noise_variance=0.01), compile=False, **options)


@pytest.fixture(scope="module")
def result(setup):
    return hold(setup)


def values(table, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    return table.value.to_numpy()


def test_every_method_is_measured_at_ten_betas(result, setup):
    for metric in ("rv", "rv_relative", "within_fraction"):
        assert (
            result.table[result.table.metric == metric].groupby("method").beta.nunique() == 10
        ).all()
    for metric in ("unaligned", "distortion", "rate", "loss", "cost"):
        assert len(values(result.table, metric=metric)) == 4 * 10 * setup.replicas


def test_the_numbers_are_those_of_the_runs(result):
    beta, runs, x = BETAS[4], result.fits["curves"], result.validation.x
    means = runs.encode(x, beta=beta).numpy()
    reference = result.target.encode(x, beta=beta)[0]
    here = result.table[np.isclose(result.table.beta, beta) & (result.table.method == "curves")]
    assert values(here, metric="rv")[0] == alignment.retraining_variability(means).value
    expected = [
        alignment.mean_squared_distance(m, reference) / alignment.total_variance(reference)
        for m in means
    ]
    np.testing.assert_allclose(values(here, metric="unaligned"), expected)
    found = runs.evaluate(x, beta=beta)
    np.testing.assert_allclose(values(here, metric="loss"), found.distortion + beta * found.rate)
    constant = 2.5 * np.log(2 * np.pi * 0.01)
    usual = np.median(result.fits["MR-VAE"].evaluate(x, beta=beta).loss(beta))
    np.testing.assert_allclose(
        values(here, metric="cost"), (found.loss(beta) - usual) / (usual - constant)
    )


def test_curves_bring_the_runs_together(result):
    median = result.table[result.table.metric == "unaligned"].groupby("method").value.median()
    assert median["curves"] < 0.3 * median["MR-VAE"]


@pytest.fixture(scope="module")
def own():
    return load_results("one_space")


def test_the_committed_linear_model_is_exact_when_held_by_curves(own):
    errors = one_space.linear_errors(own)
    assert errors.recon["loss"] < 0.1 and errors[["recon", "z"]].to_numpy().max() < 0.1
    assert errors.x["decoder"] > 15


def test_the_committed_runs_share_a_space_at_every_rate(own):
    distances = one_space.typical(own, "unaligned")
    assert (distances.curves < 0.05 * distances["MR-VAE"]).all()
    found = one_space.over_betas(own)
    assert len(found) == 2 * 5 and (found["median"] <= found.worst).all()
    digits = found.loc[("scikit-learn digits", "distance")]
    assert digits.worst == distances.curves.loc["scikit-learn digits"].max()
    row = one_space.study.table(own).loc["scikit-learn digits"].iloc[0]
    assert row.here == f"{digits['median']:.2g} ({digits.iqr:.2g}), at most {digits.worst:.2g}"
    assert row.scale == "10 runs, 40 epochs" and row["quantity, with curves"] == "distance"
    ratio = distances["plain points"] / distances.curves
    least = one_space.ratios(own)["min"]
    assert least["scikit-learn digits"] == ratio.loc["scikit-learn digits"].min()


def test_rho_that_rises_holds_better_at_high_beta_and_one_that_falls_at_low(own):
    ends = one_space.variants(own).unaligned
    for title in ("8 Gaussians, radius 1", "scikit-learn digits"):
        rises, falls = (ends.loc[(title, f"curves, rho {how}")] for how in ("rises", "falls"))
        assert rises.iloc[-1] < falls.iloc[-1] and falls.iloc[0] < rises.iloc[0]


def test_a_panel_for_each_data_set_with_a_line_for_each_arm(own):
    axes = one_space.study.figure(own, metric="unaligned", label="distance", log=True)
    assert [len(ax.lines) for ax in axes] == [3] * 5
    assert [bool(ax.get_legend()) for ax in axes] == [True] + [False] * 4
    costs = one_space.study.figure(own, metric="cost", label="cost", legend=False)
    expected = 100 * one_space.typical(own, "cost").curves.loc["MNIST"]
    np.testing.assert_array_equal(costs[2].lines[2].get_ydata(), expected)
    assert not costs[0].get_legend()
