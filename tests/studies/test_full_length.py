"""One training against ten at the paper's length: units, and statements on made-up rows."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite.laws import LogArcsine
from rvae_lite.studies import full_length


def test_there_is_a_unit_per_set_and_method_of_the_papers_length(monkeypatch):
    seen = []
    monkeypatch.setattr(full_length, "over_beta", lambda setup: None)
    monkeypatch.setattr(
        full_length, "rate_setup", lambda name, **options: seen.append((name, options))
    )
    cells = full_length.study.cells("cpu")
    assert len(cells) == 2 * len(full_length.METHODS)
    assert full_length.METHODS[full_length.BOTH_ENDS].law is LogArcsine
    for cell in cells.values():
        full_length.study.run("cpu", cell)
    for name, options in seen:
        assert name in full_length.SETS and options["network"] == "mlp"
        assert (options["epochs"], options["batch_size"], options["replicas"]) == (200, 128, 1)
        assert len(options["methods"]) == 1 and "num_train" not in options


@pytest.fixture
def made_up():
    """Ten trainings, one that is as good at every rate, and one that is worse by 5 nats."""
    rows = []
    for method, above in (
        (full_length.MR, -1.0),
        (full_length.PAPER, 5.0),
        ("beta-VAE, annealed", 0.0),
    ):
        for beta, rate in zip(np.geomspace(0.01, 10, 10), np.geomspace(40, 1, 10), strict=True):
            distortion = 100 - 2 * rate + above
            values = dict(rate=rate, distortion=distortion, loss=distortion + beta * rate)
            values["negative_elbo"] = rate + distortion
            cell = dict(data="a", network="mlp", method=method, seed=0, beta=beta)
            rows += [dict(cell, metric=name, value=value) for name, value in values.items()]
    return pd.DataFrame(rows)


def test_statements_compare_one_training_with_ten_annealed_ones(made_up):
    held = full_length.statements(made_up)
    assert held.loc[full_length.MR].all(axis=None) and not held.loc[full_length.PAPER].any(
        axis=None
    )
    shown = full_length.study.table(made_up, None)
    assert list(shown["mean excess"]) == ["-1.0", "+5.0"]
    twice = pd.concat([made_up, made_up.assign(seed=1)])
    shown = full_length.study.table(twice, None)
    assert list(shown["mean excess"]) == ["-1.0 (-1.0 to -1.0)", "+5.0 (+5.0 to +5.0)"]


def test_the_figure_has_a_panel_for_each_set(made_up):
    axes = full_length.study.figure(pd.concat([made_up, made_up.assign(data="b")]))
    assert [ax.get_title() for ax in axes] == ["a", "b"]
