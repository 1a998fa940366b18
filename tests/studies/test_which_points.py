"""Which points: the committed table beside the paper's Table 9."""

import matplotlib

matplotlib.use("agg")

from rvae_lite.studies.study import load_results
from rvae_lite.studies.which_points import closeness, study


def test_table_9_is_relative_to_k_means():
    own = load_results("which_points")
    for metric in ("LSD", "RV"):
        table = study.table(own, metric=metric)
        assert len(table) == 2 * 4 and "—" not in set(table.paper)
        assert set(table[table.method == "k-means"].direction) == {"reference"}


def test_every_way_stays_within_half_of_the_first_laboratorys_variance():
    close = closeness(load_results("which_points"))
    assert list(close.index) == ["Gaussian mixture", "agglomerative", "k-means", "random"]
    assert (close.unaligned_first < 0.5).all() and (close.label_transfer > 0.9).all()
    assert len(study.figure(load_results("which_points")).get_xticks()) == 4
