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
    table = hierarchy.study.table(own)
    assert list(table.index) == ["MR-VAE", "MR-VAE, no tilt"]
    assert table.excess.between(0, 5).all() and table.reached.between(0.5, 0.7).all()
    assert set(table.verdict) == {"same trend"}
    left, right = hierarchy.study.figure(own)
    assert len(left.lines) == 3 and len(right.lines) == 6
