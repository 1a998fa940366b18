"""The linear multi-rate VAE beside the exact optimum: the committed gaps."""

import matplotlib

matplotlib.use("agg")

from rvae_lite.studies import linear_multirate
from rvae_lite.studies.study import load_results


def test_the_committed_gaps_are_below_a_per_cent():
    own = load_results("linear_multirate")
    gaps = linear_multirate.gaps(own)
    assert gaps.loc["sampled", "max"] == own[own.training == "sampled"].gap.max() < 0.01
    table = linear_multirate.study.table(own)
    assert len(table) == 6 and table["max, per cent"].max() == round(100 * gaps["max"].max(), 2)
    assert len(linear_multirate.study.figure(own).lines) == 6
