"""Tables beside the paper's: relative values, verdicts, checked claims."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite.reporting import tables


def rv_table():
    rows = [
        dict(
            method=method, part="rest", metric=f"rv_{name}", value=value + shift, template=template
        )
        for template, shift in ((0, 0.0), (1, 5.0))
        for method, middle in (("VAE", 2.0), ("R-VAE", -10.0))
        for name, value in (("median", middle), ("q25", middle - 1), ("q75", middle + 2))
    ]
    return pd.DataFrame(rows).assign(recipe="reproducibility", data="toy", num_points=8)


def lsd_table():
    rows = [
        dict(method=method, template=0, value=float(np.exp(value)), seed=seed)
        for method, logs in (("VAE", (1.0, 2.0, 3.0)), ("R-VAE", (0.0, 1.0, 5.0)))
        for seed, value in enumerate(logs)
    ]
    return pd.DataFrame(rows).assign(
        recipe="sequential", data="toy", num_points=8, part="D1", metric="lsd", points_from="first"
    )


def test_variability_is_relative_to_the_vae_of_the_same_template():
    frame = tables.relative_rv(rv_table())
    assert set(frame[frame.method == "VAE"]["median"]) == {0.0}
    assert set(frame[frame.method == "R-VAE"]["median"]) == {-12.0}
    assert set(frame.iqr) == {3.0}


def test_log_distortion_is_relative_to_the_median_vae():
    frame = tables.relative_lsd(lsd_table()).set_index("method")
    assert frame.loc["R-VAE", "median"] == pytest.approx(-1.0)
    assert frame.loc["VAE", "iqr"] == pytest.approx(1.0)


def test_another_method_may_be_the_baseline():
    assert set(tables.relative_rv(rv_table(), baseline="R-VAE")["median"]) == {0.0, 12.0}
    frame = tables.relative_lsd(lsd_table(), baseline="R-VAE").set_index("method")
    assert frame.loc["VAE", "median"] == pytest.approx(1.0)
    assert tables.relative_rv(
        rv_table().assign(recipe="sequential"), recipe="sequential"
    ).shape == (4, 7)


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
    ("ours", "paper", "expected"),
    [(-1.0, -1.5, "agrees"), (-9.0, -1.0, "same trend"), (4.0, -1.0, "differs")],
)
def test_the_verdict_follows_its_rule(ours, paper, expected):
    assert tables.verdict(ours, 0.5, paper, 0.6) == expected


def test_the_table_beside_the_paper_finds_its_row():
    published = pd.DataFrame(
        [dict(method="R-VAE", part="rest", num_points=8, median=-12.5, iqr=1.0)]
    )
    table = tables.against_paper(tables.over_templates(tables.relative_rv(rv_table())), published)
    rows = table.set_index("method")
    assert (
        rows.loc["R-VAE", "verdict"] == "agrees" and rows.loc["R-VAE", "paper"] == "−12.50 (1.00)"
    )
    assert rows.loc["VAE", "verdict"] == "reference" and rows.loc["VAE", "paper"] == "—"


def test_numbers_have_a_true_minus_sign_and_no_negative_zero():
    assert tables.format_number(-1.234) == "−1.23"
    assert tables.format_number(-1e-17) == "0.00"
    assert tables.format_number(-np.inf) == "−∞"


def test_a_claim_that_is_false_stops(capsys):
    tables.check("one is one", 1 == 1)
    assert capsys.readouterr().out == "✓ one is one\n"
    with pytest.raises(AssertionError, match="not true here: one is two"):
        tables.check("one is two", 1 == 2)


def test_the_summary_has_a_row_per_quantity_that_was_measured():
    rows = [
        dict(method=method, recipe="reproducibility", metric="unaligned", part="rest", value=value)
        for method, values in (("VAE", (2.0, 2.5, 1.0)), ("R-VAE", (0.1, 0.2, 0.3)))
        for value in values
    ]
    table = tables.summary(pd.DataFrame(rows))
    assert table.to_dict("index") == {
        "distance to template, rest": {"VAE": "2.000", "R-VAE": "0.200"}
    }


def test_numbers_of_points_are_columns_in_their_order():
    frame = pd.DataFrame(
        [
            dict(part="R1", method="R-VAE", num_points=r, median=-float(r), iqr=1.0)
            for r in (8, 64, 32)
        ]
    )
    table = tables.by_num_points([frame, frame[frame.num_points > 8]])
    assert list(table.columns) == ["R = 8", "R = 32", "R = 64"]
    assert table.loc[("RV", "R1", "R-VAE"), "R = 64"] == "−64.00 (1.00)"
    assert table.loc[("log LSD", "R1", "R-VAE"), "R = 8"] == "—"


def test_a_row_of_the_paper_without_a_number_of_points_stands_beside_any():
    published = pd.DataFrame(
        [dict(method=name, part="D1", num_points=np.nan, median=0.5, iqr=1.0) for name in "ab"]
    )
    frame = pd.DataFrame(
        [
            dict(method=name, part="D1", num_points=32, median=0.0, iqr=0.2, lowest=0, highest=0)
            for name in "ab"
        ]
    )
    table = tables.against_paper(frame, published, baseline="a")
    assert list(table.verdict) == ["reference", "agrees"]


def negative_elbos(values):
    """A study's table, method -> -ELBO at the betas 0.1 and 1, for the multi-rate one between too."""
    rows = [
        dict(
            data="D",
            network="cnn",
            method=method,
            seed=0,
            metric="negative_elbo",
            beta=beta,
            value=value,
        )
        for method, by_beta in values.items()
        for beta, value in by_beta.items()
    ]
    return pd.DataFrame(rows)


def test_curves_are_compared_at_the_baselines_betas():
    table = negative_elbos(
        {"MR-VAE": {0.1: 9.0, 0.3: 1.0, 1.0: 8.0}, "beta-VAE": {0.1: 10.0, 1.0: 12.0}}
    )
    best = tables.best_negative_elbos(table).set_index("method").value
    assert best.to_dict() == {"MR-VAE": 8.0, "beta-VAE": 10.0}


def test_the_verdict_on_curves_is_about_size_first_and_about_direction_else():
    table = negative_elbos({"MR-VAE": {0.1: 20.0}, "beta-VAE": {0.1: 10.0}, "other": {0.1: 1.0}})
    published = dict(data="D", part="cnn", metric="negative_elbo")
    methods = pd.DataFrame(
        [
            published | dict(method="MR-VAE", median=9.0),
            published | dict(method="beta-VAE", median=9.9),
        ]
    )
    compared = tables.curves_against_paper(table, methods).set_index("method")
    assert compared.verdict.to_dict() == {"MR-VAE": "differs", "beta-VAE": "agrees", "other": "—"}
    assert compared.paper["other"] == "—" and compared.here["MR-VAE"] == "20.00 (0.00)"
    compared = tables.curves_against_paper(table, methods, named={"other": "MR-VAE"}).set_index(
        "method"
    )
    assert compared.paper["other"] == "9.00" and compared.verdict["other"] == "same trend"
    better = negative_elbos({"MR-VAE": {0.1: 19.0}, "beta-VAE": {0.1: 20.0}})
    compared = tables.curves_against_paper(better, methods).set_index("method")
    assert compared.verdict.to_dict() == {"MR-VAE": "same trend", "beta-VAE": "reference"}
