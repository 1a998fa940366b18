"""Eight epochs of a ResNet: its units, and the printed losses beside made-up ones."""

import pandas as pd
import pytest

from rvae_lite.studies import eight_epochs
from rvae_lite.studies.eight_epochs import BETAS, METHODS, MR, PAPER, SEPARATE, study
from rvae_lite.studies.study import load_results

PRINTED = {0.01: 5.131, 0.1: 3.14, 1.0: 1.2, 10.0: 5.2}  # losses at beta out of the README's table


def test_every_unit_trains_one_method_on_all_images(monkeypatch):
    seen = []
    monkeypatch.setattr(eight_epochs, "over_beta", seen.append)
    monkeypatch.setattr(eight_epochs, "rate_setup", lambda name, **options: (name, options))
    for cell in study.cells("cpu").values():
        study.run("cpu", cell)
    assert [list(options["methods"]) for _, options in seen] == [[name] for name in METHODS]
    for name, options in seen:
        assert (name, options["epochs"], options["batch_size"]) == ("binary_mnist", 8, 64)
        assert options["betas"] == BETAS and "num_train" not in options


def test_the_printed_losses_are_those_at_the_beta_trained_for():
    printed = eight_epochs.printed_excess(load_results("published"))
    assert printed.to_dict() == pytest.approx(PRINTED)


def test_the_table_judges_the_papers_gates_and_shows_the_others_beside():
    above, rows = {SEPARATE: 0.0, PAPER: 3.0, MR: -1.0, "beta-VAE, annealed": 2.0}, []
    for method, more in above.items():
        for beta in BETAS:
            cell = dict(data="a", network="resnet", method=method, seed=0, beta=beta)
            rows.append(dict(cell, metric="loss", value=100 + more))
    found = study.table(pd.DataFrame(rows))
    judged = found[found.method == PAPER]
    assert list(judged.here) == ["3.00"] * 4 and set(judged.direction) == {"same"}
    assert list(judged.paper) == ["5.13", "3.14", "1.20", "5.20"]
    for name, here in ((MR, "−1.00"), ("beta-VAE, annealed", "2.00")):
        others = found[found.method == name]
        assert list(others.here) == [here] * 4 and set(others.direction) == {"—"}
