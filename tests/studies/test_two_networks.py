"""Two networks meet through one file."""

import pytest

from rvae_lite import VAE, data
from rvae_lite.studies.setup import Setup
from rvae_lite.studies.study import load_results
from rvae_lite.studies.two_networks import study, two_networks


def test_one_file_brings_two_networks_together_by_a_map_that_it_knows():
    dataset = data.load("eight_gaussians", num_per_class=30)
    dataset = dataset._replace(x=dataset.x / 40)
    options = dict(num_points=8, epochs=60, batch_size=36, methods={}, replicas=2, cosine=True)
    model = VAE.mlp(5, 2, (16,), noise_variance=0.01)
    setup = Setup(dataset, model, compile=False, learning_rate=1e-2, **options)
    table = two_networks(setup, VAE.mlp(5, 2, (24, 24), noise_variance=0.01), rho=5.0).table
    median = table.groupby(["method", "metric"]).value.median()
    assert median["one file", "known_map"] < 0.3 * median["unanchored", "known_map"]
    assert (median[:, "best_map"] <= median[:, "anchors_map"] + 1e-9).all()


def test_the_committed_pair_is_ten_times_nearer_with_the_file():
    table = study.table(load_results("two_networks"))
    assert list(table.columns) == ["known_map", "anchors_map", "best_map"]
    assert table.known_map["one file"] < 0.1 * table.known_map["unanchored"]
    assert table.known_map["one file"] == pytest.approx(0.0313, abs=1e-4)
