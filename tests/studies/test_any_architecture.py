"""Any architecture: the committed table by the second laboratory's network."""

from rvae_lite.studies.any_architecture import closeness, study
from rvae_lite.studies.study import load_results


def test_every_committed_architecture_stands_beside_the_papers():
    table = study.table(load_results("any_architecture"))
    assert set(table.method) == {"same architecture", "simple", "complex"}
    assert "—" not in set(table.paper)


def test_no_committed_architecture_strays_beyond_half_of_the_variance():
    near = closeness(load_results("any_architecture"))
    assert len(near) == 3 and (near["unaligned_first", "D1"] < 0.5).all()
    assert set(near["r_squared"]) == {"D1", "D2"}
