"""Tables beside the papers': verdicts, templates, numbers as text."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite.reporting import tables


def test_templates_are_summarised_by_their_median_and_range():
    frame = pd.DataFrame(
        dict(
            data="toy",
            num_points=8,
            part="rest",
            method="R-VAE",
            median=[-3.0, -1.0, -2.0],
            iqr=1.0,
        )
    )
    row = tables.over_templates(frame).iloc[0]
    assert (row["median"], row.lowest, row.highest, row.templates) == (-2.0, -3.0, -1.0, 3)


@pytest.mark.parametrize(
    ("ours", "paper", "direction", "size"),
    [
        (-1.0, -1.5, "same", "agrees"),
        (-9.0, -1.0, "same", "larger"),
        (-1.0, -9.0, "same", "smaller"),
        (0.2, -0.3, "opposite", "agrees"),
        (4.0, -1.0, "opposite", "larger"),
        (0.5, 0.0, "not comparable", "agrees"),
        (-9.0, 0.0, "not comparable", "larger"),
    ],
)
def test_the_verdict_has_a_direction_and_a_size(ours, paper, direction, size):
    assert tables.verdict(ours, 0.5, paper, 0.6) == (direction, size)
    judged = tables.verdict(ours, 0.5, paper, 0.6, sizes=False)
    assert judged == (direction, "not comparable")


@pytest.mark.parametrize(("ours", "paper"), [(-np.inf, -48.83), (-1.0, np.nan)])
def test_the_infinite_and_the_missing_compare_with_nothing(ours, paper):
    for numbers in ((ours, 0.0, paper, 9.35), (paper, 9.35, ours, 0.0)):
        assert tables.verdict(*numbers) == ("not comparable", "—")


def test_numbers_have_a_true_minus_sign_and_no_negative_zero():
    assert tables.format_number(-1.234) == "−1.23"
    assert tables.format_number(-1e-17) == "0.00"
    assert tables.format_number(-np.inf) == "−∞"


def test_a_row_of_the_paper_without_a_number_of_points_stands_beside_any():
    published = pd.DataFrame(
        [dict(method=name, part="D1", num_points=np.nan, median=0.5, iqr=1.0) for name in "ab"]
    )
    frame = pd.DataFrame(
        [
            dict(method=name, part="D1", num_points=32, median=0.1, iqr=0.2, lowest=0, highest=1)
            for name in "abc"
        ]
    )
    table = tables.against_paper(frame.assign(templates=1), published, baseline="a")
    assert list(table.direction) == ["reference", "same", "—"]
    assert list(table["size"]) == ["—", "agrees", "—"] and "range" not in table
    table = tables.against_paper(frame.assign(templates=2), published, baseline="a", sizes=False)
    assert list(table["size"]) == ["—", "not comparable", "—"]
    assert set(table.range) == {"0.00 to 1.00"}


def test_the_scale_of_runs_is_a_row_for_each_data_set_in_their_order():
    own = pd.DataFrame(dict(data=["b", "a", "a"], epochs=[3.0, 2.0, 2.0], width=[0.5, 1.5, 1.5]))
    scale = tables.scales(own, "epochs", "width")
    assert list(scale.index) == ["b", "a"] and list(scale.epochs) == [3, 2]
    assert scale.epochs.dtype == int and list(scale.width) == [0.5, 1.5]


def test_statements_agree_where_they_hold_and_may_have_a_verdict_of_their_own():
    rows = {"it falls": ("Figure 1", "3 of 3", np.bool_(True)), "it rises": ("Figure 2", "", False)}
    table = tables.statements(rows | {"it stays": ("Figure 3", "1 of 2", "mixed")}, name="said")
    assert list(table.columns) == ["paper", "here", "verdict"] and table.index.name == "said"
    assert list(table.verdict) == ["agrees", "differs", "mixed"]


@pytest.mark.parametrize(
    "cases, verdict",
    [
        ([True, True], "agrees"),
        (np.array([False, False]), "differs"),
        ([True, False], "mixed"),
        (1 / 3, "mixed"),
        (True, "agrees"),
    ],
)
def test_a_statement_agrees_where_it_holds_in_all_cases(cases, verdict):
    assert tables.held_in(cases) == verdict
