"""Which points: the committed table by the way of choosing."""

from rvae_lite.studies.study import load_results
from rvae_lite.studies.which_points import closeness, study


def test_the_committed_ways_of_choosing_are_named_as_in_the_paper():
    table = study.table(load_results("which_points"), metric="RV")
    assert set(table.method) == {"k-means", "Gaussian mixture", "agglomerative", "random"}
    assert "—" not in set(table.paper)


def test_every_committed_way_of_choosing_stays_within_half_of_the_variance():
    near = closeness(load_results("which_points"))
    assert len(near) == 4 and (near.unaligned_first < 0.5).all()
    assert near.label_transfer.between(0, 1).all()
