"""8 Gaussians: the committed tables beside the paper's."""

import matplotlib

matplotlib.use("agg")

import pytest

from rvae_lite.studies.eight_gaussians import lost_runs, study
from rvae_lite.studies.study import load_results


@pytest.fixture(scope="module")
def own():
    return load_results("eight_gaussians")


def test_tables_1_and_2_have_8_points_and_the_controls(own):
    first, second = (study.table(own, number=number) for number in (1, 2))
    assert set(first.points) == set(second.points) == {8}
    assert set(first.index) == {"R1", "rest"} and set(second.index) == {"D1", "D2"}
    assert "VAE (same seed)" in set(first.method) and "VAE, anchors repeated" in set(second.method)
    ours = first[first.method == "R-VAE"].here
    assert all(float(text.split()[0].replace("−", "-")) < -14 for text in ours)


def test_tables_3_and_6_are_over_the_number_of_points(own):
    third, sixth = (study.table(own, number=number) for number in (3, 6))
    assert set(third.index) == {"rest"} and list(sixth.index) == ["D1"] * 12 + ["D2"] * 12
    assert set(third.points) == set(sixth.points) == {2, 4, 8, 16}
    assert set(third.method) == {"VAE", "beta-VAE", "R-VAE"} and "—" not in set(third.paper)
    assert "—" not in set(sixth.paper["D1"]) and set(sixth.paper["D2"]) == {"—"}


def test_the_figure_has_a_curve_for_each_of_the_papers_methods(own):
    axes = study.figure(own)
    assert [len(ax.get_legend().get_texts()) for ax in axes] == [3, 3, 3]


def test_a_weak_anchor_lost_some_of_the_committed_runs_and_a_strong_one_fewer(own):
    eight = own[own.num_points == 8]
    assert 0.05 < lost_runs(own) < 0.5
    assert lost_runs(eight, "R-VAE") < lost_runs(own) < lost_runs(eight, "VAE")
