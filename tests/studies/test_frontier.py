"""Fit against fidelity: every rho in one table."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from rvae_lite import VAE, data
from rvae_lite.studies.frontier import METHOD, frontier, study
from rvae_lite.studies.setup import Setup
from rvae_lite.studies.study import load_results


@pytest.fixture(scope="module")
def table():
    dataset = data.load("eight_gaussians", num_per_class=30)
    options = dict(num_points=8, epochs=60, batch_size=36, methods={}, replicas=2, cosine=True)
    model = VAE.mlp(5, 2, (16,), noise_variance=0.01)
    dataset = dataset._replace(x=dataset.x / 40)
    setup = Setup(dataset, model, compile=False, learning_rate=1e-2, **options)
    return frontier(setup, rhos=(0.1, 100.0), betas=(0.1, 1.0)).table


def test_the_method_is_read_off_at_every_rho_and_beta(table):
    assert set(table.method) == {METHOD}
    assert (table.groupby(["method", "rho", "beta", "metric"]).size() == 2).all()
    assert (
        len(table) == 2 * 2 * 2 * 2
        and np.isfinite(table.value).all()
        and (table.data == "8 Gaussians").all()
    )


def test_a_high_rho_buys_fidelity_with_fit(table):
    median = table[table.beta == 1].groupby(["metric", "rho"]).value.median()
    assert median["distance", 100.0] < median["distance", 0.1]
    assert median["loss", 100.0] > median["loss", 0.1]


def test_the_committed_frontier_falls_with_rho_on_both_data_sets():
    table = study.table(load_results("frontier"))
    assert list(table.columns) == ["distance", "loss"] and len(table) == 2 * 4
    for _, part in table.distance.groupby("data"):
        assert part.is_monotonic_decreasing
    axes = study.figure(load_results("frontier"))
    assert [len(ax.lines) for ax in axes] == [1, 1]
