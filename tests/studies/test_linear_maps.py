"""Figures of linear maps show every run and the median."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pandas as pd
import pytest

from rvae_lite.studies import linear_maps
from rvae_lite.studies.study import find_study, load_results

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


def runs_of(**maps):
    """Rows of one run a method: method -> (eigenvalues, distance to the identity, shift)."""
    rows = []
    for method, (spectrum, distance, shift) in maps.items():
        values = {f"spectrum_{k}": value for k, value in enumerate(spectrum)}
        values |= dict(distance_to_identity=distance, bias_norm=shift)
        rows += [dict(method=method, metric=name, value=value) for name, value in values.items()]
    same = dict(recipe="sequential", points_from="first", part="all", template=0, seed=0)
    return pd.DataFrame(rows).assign(**same)


def test_maps_lie_on_a_side_of_each_rival():
    own = runs_of(VAE=([4.0, 0.0], 1.0, 2.0), **{"R-VAE": ([3.0, 3.0], 2.0, 2.0)})
    found = linear_maps.against_paper(own, rivals=["VAE"])
    assert list(found.direction) == ["same", "opposite", "not comparable"]
    assert found.loc["flatness", "R-VAE"] == "1.00 (0.00)"
    assert found.loc["flatness", "the rival's"] == "0.50 (0.00)"
    assert set(found["size"]) == {"not comparable"}
    level = linear_maps.against_paper(own, rivals=["VAE"], level=["distance_to_identity"])
    assert level.loc["distance to identity", "direction"] == "not comparable"


def test_points_of_another_template_and_other_protocols_are_left_out():
    own = runs_of(VAE=([1.0, 1.0], 1.0, 2.0))
    other = own.assign(points_from="joint"), own.assign(recipe="reproducibility")
    assert len(linear_maps.of_maps(pd.concat([own, *other]))) == 3


def test_a_map_without_a_turn_has_the_trace_of_its_stretch():
    stretched, turned = np.diag([2.0, 1.0]), np.array([[0.0, -1.0], [1.0, 0.0]])
    maps = {}
    for name, A in dict(stretched=stretched, turned=turned).items():
        spectrum = np.linalg.svd(A, compute_uv=False)
        maps[name] = (spectrum, np.linalg.norm(A / spectrum[0] - np.eye(2)), 0.0)
    found = linear_maps.unturned(runs_of(**maps))
    assert found["stretched"] == pytest.approx(1) and found["turned"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["mnist", "zebra_finch", "bengalese_finch"])
def test_committed_maps_fill_the_figure(name):
    figure = find_study(name).figure(load_results(name))
    assert [bool(ax.collections or ax.lines) for ax in figure.axes] == [True] * 3
