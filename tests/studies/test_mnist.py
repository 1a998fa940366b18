"""MNIST: the committed tables."""

from rvae_lite.studies.mnist import study
from rvae_lite.studies.study import load_results


def test_tables_1_and_2_have_64_points_and_4_both_numbers():
    own = load_results("mnist")
    assert set(study.table(own, number=1).points) == {64}
    assert set(study.table(own, number=2).index) == {"D1", "D2"}
    assert list(study.table(own, number=4).columns) == ["R = 32", "R = 64"]
