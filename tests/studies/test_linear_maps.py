"""Figures of linear maps show every run and the median."""

import matplotlib

matplotlib.use("agg")

import pandas as pd
import pytest

from rvae_lite.studies import linear_maps

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture
def table():
    rows = [
        dict(method=method, metric=metric, part="all", value=1.0 + seed, seed=seed, template=0)
        for method in ("VAE", "R-VAE")
        for metric in ("lsd", "spectrum_0", "spectrum_1")
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def test_spectra_show_every_run_and_the_median(table):
    assert len(linear_maps.plot_spectra(table).lines) == 2 * (3 + 1)


def test_the_linear_maps_fill_three_panels(table):
    more = [
        table[table.metric == "lsd"].assign(metric=name)
        for name in ("distance_to_identity", "bias_norm")
    ]
    figure = linear_maps.plot_linear_maps(pd.concat([table, *more]))
    assert [bool(ax.collections or ax.lines) for ax in figure.axes] == [True] * 3
