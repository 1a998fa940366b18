"""One space at every rate: the study's table holds what it says, and two networks meet through one file."""

import numpy as np
import pytest

from rvae_lite import VAE, alignment, data
from rvae_lite.studies import protocols
from rvae_lite.studies.one_space import BETAS, Held, space_study, two_networks


@pytest.fixture(scope="module")
def setting():
    methods = {
        "MR-VAE": Held(),
        "plain points": Held(5.0, at=1.0),
        "curves": Held(5.0, rho_power=0.5),
    }
    methods["selected at beta 1"] = Held(5.0, selected_at=(1.0,))
    dataset = data.load("eight_gaussians", num_per_class=30)
    dataset = dataset._replace(x=dataset.x / 40)
    options = dict(
        num_points=8, epochs=60, batch_size=36, methods=methods, replicas=2, learning_rate=1e-2
    )
    return protocols.Setting(
        dataset, VAE.mlp(5, 2, (16,), noise_variance=0.01), compile=False, **options
    )


@pytest.fixture(scope="module")
def study(setting):
    return space_study(setting)


def values(table, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    return table.value.to_numpy()


def test_every_method_is_measured_at_ten_betas(study, setting):
    for metric in ("rv", "rv_relative", "within_fraction"):
        assert (
            study.table[study.table.metric == metric].groupby("method").beta.nunique() == 10
        ).all()
    for metric in ("unaligned", "distortion", "rate", "loss", "cost"):
        assert len(values(study.table, metric=metric)) == 4 * 10 * setting.replicas


def test_the_numbers_are_those_of_the_runs(study):
    beta, runs, x = BETAS[4], study.fits["curves"], study.validation.x
    means = runs.encode(x, beta=beta).numpy()
    reference = study.template.encode(x, beta=beta)[0]
    here = study.table[np.isclose(study.table.beta, beta) & (study.table.method == "curves")]
    assert values(here, metric="rv")[0] == alignment.retraining_variability(means).value
    expected = [
        alignment.mean_squared_distance(m, reference) / alignment.total_variance(reference)
        for m in means
    ]
    np.testing.assert_allclose(values(here, metric="unaligned"), expected)
    found = runs.evaluate(x, beta=beta)
    np.testing.assert_allclose(values(here, metric="loss"), found.distortion + beta * found.rate)
    constant = 2.5 * np.log(2 * np.pi * 0.01)
    usual = np.median(study.fits["MR-VAE"].evaluate(x, beta=beta).loss(beta))
    np.testing.assert_allclose(
        values(here, metric="cost"), (found.loss(beta) - usual) / (usual - constant)
    )


def test_curves_bring_the_runs_together(study):
    median = study.table[study.table.metric == "unaligned"].groupby("method").value.median()
    assert median["curves"] < 0.3 * median["MR-VAE"]


def test_one_file_brings_two_networks_together_by_a_map_that_it_knows(setting):
    table = two_networks(setting, VAE.mlp(5, 2, (24, 24), noise_variance=0.01), rho=5.0)
    median = table.groupby(["method", "metric"]).value.median()
    assert median["one file", "known_map"] < 0.3 * median["unanchored", "known_map"]
    assert (median[:, "best_map"] <= median[:, "anchors_map"] + 1e-9).all()
