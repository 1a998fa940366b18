"""The hierarchical model: profiles, and the committed curves."""

import matplotlib

matplotlib.use("agg")

import pytest

from rvae_lite.studies import hierarchy
from rvae_lite.studies.study import load_results


def test_the_hierarchy_is_one_training_against_four(monkeypatch):
    seen = []
    monkeypatch.setattr(hierarchy, "rate_setup", lambda name, **options: seen.append(options))
    monkeypatch.setattr(hierarchy, "over_beta", lambda setup: None)
    for profile in hierarchy.study.profiles:
        ((name, cell),) = hierarchy.study.cells(profile).items()
        hierarchy.study.run(profile, cell)
        assert name == "binary_mnist" and seen[-1]["betas"] == pytest.approx((0.01, 0.1, 1.0, 10.0))
        assert seen[-1]["methods"]["MR-VAE"].gates["tilt"] == 2
    assert (seen[-1]["epochs"], seen[-1]["batch_size"], "num_train" in seen[-1]) == (
        400,
        256,
        False,
    )
    assert "beta-VAE, annealed" in seen[-1]["methods"]


def test_the_committed_excess_is_a_few_nats_over_part_of_the_rates():
    own = load_results("hierarchy")
    found = hierarchy.excess(own)
    assert list(found.index) == ["MR-VAE", "MR-VAE, no tilt"]
    assert found.excess.between(0, 5).all() and found.reached.between(0.5, 0.7).all()
    table = hierarchy.study.table(own)
    assert set(table.verdict) == {"mixed"} and list(table.index) == list(found.index)
    assert table["highest rate"]["MR-VAE"] == f"{found.reached['MR-VAE']:.0%}"
    assert (hierarchy.fine_rates(own)["beta-VAE"] > 1).all()
    left, right = hierarchy.study.figure(own)
    assert len(left.lines) == 3 and len(right.lines) == 6
