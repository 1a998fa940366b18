"""8 Gaussians: the committed tables over the number of points."""

from rvae_lite.studies.eight_gaussians import lost_runs, study
from rvae_lite.studies.study import load_results


def test_a_weak_anchor_lost_some_of_the_committed_runs_and_a_strong_one_fewer():
    own = load_results("eight_gaussians")
    eight = own[own.num_points == 8]
    assert 0.05 < lost_runs(own) < 0.5
    assert lost_runs(eight, "R-VAE") < lost_runs(own) < lost_runs(eight, "VAE")


def test_the_committed_tables_hold_every_number_of_points():
    own = load_results("eight_gaussians")
    assert set(study.table(own).points) == {8}
    assert set(study.table(own, number=3).points) == {2, 4, 8, 16}
