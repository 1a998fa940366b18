"""One multi-rate training against ten: units, and the committed curves."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pandas as pd
import pytest

from rvae_lite.studies import multi_rate, over_beta_tables
from rvae_lite.studies.study import load_results


@pytest.fixture(scope="module")
def own():
    return load_results("multi_rate")


def test_there_is_a_unit_per_set_network_and_method(monkeypatch):
    cells = multi_rate.study.cells("cpu")
    assert len(cells) == 2 * 2 * len(multi_rate.METHODS | multi_rate.LONGER)
    assert len(multi_rate.study.cells("paper")) == 2 * 2 * len(multi_rate.METHODS)
    seen = []
    monkeypatch.setattr(
        multi_rate, "rate_setup", lambda name, **options: seen.append((name, options))
    )
    monkeypatch.setattr(multi_rate, "over_beta", lambda setup: None)
    for cell in multi_rate.study.cells("paper").values():
        multi_rate.study.run("paper", cell)
    assert {name for name, _ in seen} == {"binary_mnist", "omniglot"}
    assert all(options["epochs"] == 200 and "num_train" not in options for _, options in seen)
    seen.clear()
    multi_rate.study.run("cpu", cells["omniglot-resnet-MR-VAE-twice-as-long"])
    ((_, options),) = seen
    assert (options["epochs"], options["width"], options["replicas"]) == (10, 1 / 4, 1)
    assert list(options["methods"]) == [multi_rate.LONG]


def test_an_excess_is_the_difference_in_loss_at_the_ten_betas(own):
    found = over_beta_tables.excess(own, multi_rate.PAPER)
    case = dict(data="static binary MNIST", network="cnn", seed=1)
    part = found[(found[list(case)] == list(case.values())).all(axis=1)]
    assert len(part) == 10

    def losses(method):
        rows = own[(own[list(case)] == list(case.values())).all(axis=1)]
        rows = rows[(rows.method == method) & (rows.metric == "loss")]
        betas = np.geomspace(0.01, 10, 10)
        close = np.isclose(rows.beta.to_numpy()[:, None], betas, rtol=1e-4).any(1)
        return rows[close].sort_values("beta").value.to_numpy()

    expected = losses(multi_rate.PAPER) - losses("beta-VAE, annealed")
    np.testing.assert_allclose(part.excess, expected)
    row = over_beta_tables.excesses(own, [multi_rate.PAPER]).loc[
        (multi_rate.PAPER, *list(case.values())[:2])
    ]
    means = found[(found["data"] == case["data"]) & (found.network == "cnn")].groupby("seed").excess
    assert row["mean"] == pytest.approx(means.mean().median()) and row.seeds == 3


def test_the_gap_at_equal_rate_is_the_difference_of_two_curves():
    rows = []
    for method, seed, above in (
        ("MR-VAE", 0, 2.0),
        ("MR-VAE", 1, 3.0),
        ("beta-VAE, annealed", 0, 0.0),
    ):
        for beta, rate in zip(np.geomspace(0.01, 10, 10), np.geomspace(40, 1, 10), strict=True):
            values = dict(rate=rate, distortion=100 - 2 * rate + above, loss=0.0)
            cell = dict(data="a", network="b", method=method, seed=seed, beta=beta)
            rows += [dict(cell, metric=name, value=value) for name, value in values.items()]
    rows += [dict(row, seed=1) for row in rows if row["method"] == "beta-VAE, annealed"]
    rates, gaps = over_beta_tables.gaps_at_equal_rate(pd.DataFrame(rows), num=7)
    assert rates[0] == pytest.approx(1) and rates[-1] == pytest.approx(40)
    np.testing.assert_allclose(gaps, np.repeat([[2.0], [3.0]], 7, axis=1), atol=1e-9)


def test_latents_that_close_lower_what_the_papers_gates_pay_in_three_cases_of_four(own):
    found = over_beta_tables.excesses(own)
    ours, paper = found.loc[multi_rate.MR], found.loc[multi_rate.PAPER]
    assert (ours["mean"] < 0.5 * paper["mean"]).sum() == 3 and len(ours) == 4
    assert (ours["low"] < 0.5 * paper["low"]).sum() == 3
    assert (ours["least"] > 0).all()  # ten trainings are ahead in every seed
    assert len(over_beta_tables.excess_table(own)) == len(found)


def test_metrics_at_the_ends_and_a_panel_for_each_case(own):
    names = (multi_rate.PAPER, "beta-VAE")
    high = [over_beta_tables.at_end(own, "active_units", name, "max") for name in names]
    assert len(high[0]) == 4 and (high[0] > high[1]).any()
    axes = multi_rate.study.figure(own)
    assert len(axes) == 4 and all("rate" in ax.get_xlabel() for ax in axes)
    how = dict(label="distance of samples", log=True)
    axes = over_beta_tables.plot_metric(own, multi_rate.METHODS, "frechet_samples", **how)
    assert [ax.get_title() for ax in axes][0] == "static binary MNIST, cnn"
    assert axes[0].get_ylabel() == "distance of samples" and len(axes[0].lines[0].get_xdata()) == 10


def test_ends_compare_medians_over_seeds_at_the_ends_of_the_range(own):
    held = multi_rate.ends(own)
    assert len(held) == 4 and set(held.dtypes.astype(str)) == {"bool"}
    case = ("Omniglot", "cnn")
    samples = [
        over_beta_tables.at_end(own, "frechet_samples", name, "min")[case]
        for name in (multi_rate.PAPER, "beta-VAE")
    ]
    assert held.loc[case, "better samples at low β"] == (samples[0] < samples[1])
