"""How many points: the committed sweep."""

import matplotlib

matplotlib.use("agg")

from rvae_lite.studies.how_many_points import study
from rvae_lite.studies.study import load_results


def test_a_column_for_every_number_of_points():
    table = study.table(load_results("how_many_points"))
    assert list(table.columns) == [f"R = {count}" for count in (4, 8, 16, 32, 64)]
    assert set(table.index.get_level_values("method")) == {"VAE", "beta-VAE", "R-VAE"}
    gains = table.loc[("RV", "rest", "R-VAE")].str.split().str[0].str.replace("−", "-")
    assert gains.astype(float).is_monotonic_decreasing


def test_the_figure_shows_distance_and_labels():
    left, right = study.figure(load_results("how_many_points"))
    assert "distance" in left.get_ylabel() and "labels" in right.get_ylabel()
    assert len(left.lines) == len(right.lines) == 3
