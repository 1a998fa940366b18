"""One multi-rate training against ten: units, and the committed curves."""

import matplotlib

matplotlib.use("agg")

import pytest

from rvae_lite.studies import multi_rate
from rvae_lite.studies.study import load_results

LONG = multi_rate.LONG


@pytest.fixture(scope="module")
def own():
    return load_results("multi_rate")


def test_there_is_a_unit_per_set_and_network(monkeypatch):
    names = list(multi_rate.study.cells("cpu"))
    assert names == ["binary_mnist-cnn", "binary_mnist-resnet", "omniglot-cnn", "omniglot-resnet"]
    seen = []
    monkeypatch.setattr(
        multi_rate, "rate_setup", lambda name, **options: seen.append((name, options))
    )
    monkeypatch.setattr(multi_rate, "over_beta", lambda setup: None)
    for cell in multi_rate.study.cells("paper").values():
        multi_rate.study.run("paper", cell)
    assert {name for name, _ in seen} == {"binary_mnist", "omniglot"}
    assert all(options["epochs"] == 200 and "num_train" not in options for _, options in seen)


def test_four_times_as_long_the_committed_curves_lie_lower_at_half_the_cost(own):
    lower, best = multi_rate.dominances(own), multi_rate.lowest(own)
    assert lower["MR-VAE"].max() < 0.1 and lower[LONG].min() > 0.5
    assert (best[LONG] < best["beta-VAE"]).all()
    ratios = multi_rate.costs(own)
    assert ratios["seconds, four times as long over ten"].between(0.4, 0.6).all()
    assert ratios["parameters, gated over plain"].between(1, 1.01).all()


def test_spreads_are_median_least_and_most_over_seeds(own):
    spread = multi_rate.spreads(own).loc[("MR-VAE", "Omniglot", "cnn", "beta-VAE")]
    values = own[(own.method == "MR-VAE") & (own["data"] == "Omniglot") & (own.network == "cnn")]
    area = values[(values.metric == "area") & (values.against == "beta-VAE")].value
    assert spread["area"] == f"{area.median():.2f} ({area.min():.2f} to {area.max():.2f})"


def test_metrics_at_the_ends_and_a_panel_for_each_case(own):
    high = [multi_rate.at_end(own, "active_units", name, "max") for name in ("MR-VAE", "beta-VAE")]
    assert len(high[0]) == 4 and (high[0] > high[1]).any()
    assert len(multi_rate.study.figure(own)) == 4
    axes = multi_rate.study.figure(own, metric="frechet_samples", label="distance of samples")
    assert axes[0].get_ylabel() == "distance of samples" and len(axes[0].lines[0].get_xdata()) == 10
