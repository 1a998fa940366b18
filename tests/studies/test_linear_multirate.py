"""One linear multi-rate training: the committed gaps."""

import matplotlib

matplotlib.use("agg")

from rvae_lite.studies.linear_multirate import against_paper, gaps, study
from rvae_lite.studies.study import load_results


def test_the_committed_gaps_are_below_a_per_cent():
    own = load_results("linear_multirate")
    worst = study.table(own)["max, per cent"].unstack("training")
    assert (worst.sampled < 1).all() and (worst.exact < 0.7).all() and len(worst) == 3
    assert len(study.figure(own).lines) == 6


def test_gaps_are_over_all_data_and_betas():
    own = load_results("linear_multirate")
    found = gaps(own)
    assert found.loc["sampled", "max"] == own[own.training == "sampled"].gap.max()
    assert found.loc["exact", "median"] == own[own.training == "exact"].gap.median()


def test_a_training_is_aligned_where_its_largest_gap_is_below_the_bound():
    own = load_results("linear_multirate")
    assert set(against_paper(own).verdict) == {"agrees"} and len(against_paper(own)) == 3
    assert set(against_paper(own, most=0.0).verdict) == {"differs"}
