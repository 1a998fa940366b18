"""Fit against fidelity: every rho apart and all at once, in one table."""

import numpy as np
import pytest

from rvae_lite import VAE, data
from rvae_lite.studies import protocols
from rvae_lite.studies.frontier import LONGER, ONE, SEPARATE, frontier_study
from rvae_lite.studies.one_space import methods_over_beta


@pytest.fixture(scope="module")
def table():
    dataset = data.load("eight_gaussians", num_per_class=30)
    options = dict(
        num_points=8, epochs=60, batch_size=36, methods=methods_over_beta(1.0), replicas=2
    )
    model = VAE.mlp(5, 2, (16,), noise_variance=0.01)
    setting = protocols.Setting(
        dataset._replace(x=dataset.x / 40), model, compile=False, learning_rate=1e-2, **options
    )
    return frontier_study(setting, rhos=(0.1, 100.0), betas=(0.1, 1.0))


def test_every_method_is_read_off_at_every_rho_and_beta(table):
    assert set(table.method) == {SEPARATE, ONE, LONGER}
    assert (table.groupby(["method", "rho", "beta", "metric"]).size() == 2).all()
    assert (
        len(table) == 3 * 2 * 2 * 2 * 2
        and np.isfinite(table.value).all()
        and (table.data == "8 Gaussians").all()
    )


def test_a_high_rho_buys_fidelity_with_fit(table):
    median = table[table.beta == 1].groupby(["method", "metric", "rho"]).value.median()
    for method in (SEPARATE, ONE, LONGER):
        assert median[method, "distance", 100.0] < median[method, "distance", 0.1]
    assert median[SEPARATE, "loss", 100.0] > median[SEPARATE, "loss", 0.1]
