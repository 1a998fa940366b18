"""Variability and distortion relative to a baseline."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite.reporting import tables
from rvae_lite.studies import rosetta_tables
from rvae_lite.studies.study import load_results


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
    frame = rosetta_tables.relative_rv(rv_table())
    assert set(frame[frame.method == "VAE"]["median"]) == {0.0}
    assert set(frame[frame.method == "R-VAE"]["median"]) == {-12.0}
    assert set(frame.iqr) == {3.0}


def test_log_distortion_is_relative_to_the_median_vae():
    frame = rosetta_tables.relative_lsd(lsd_table()).set_index("method")
    assert frame.loc["R-VAE", "median"] == pytest.approx(-1.0)
    assert frame.loc["VAE", "iqr"] == pytest.approx(1.0)


def test_another_method_may_be_the_baseline():
    assert set(rosetta_tables.relative_rv(rv_table(), baseline="R-VAE")["median"]) == {0.0, 12.0}
    frame = rosetta_tables.relative_lsd(lsd_table(), baseline="R-VAE").set_index("method")
    assert frame.loc["VAE", "median"] == pytest.approx(1.0)
    assert rosetta_tables.relative_rv(
        rv_table().assign(recipe="sequential"), recipe="sequential"
    ).shape == (4, 7)


def test_the_table_beside_the_paper_finds_its_row():
    published = pd.DataFrame(
        [dict(method="R-VAE", part="rest", num_points=8, median=-12.5, iqr=1.0)]
    )
    table = tables.against_paper(
        tables.over_templates(rosetta_tables.relative_rv(rv_table())), published
    )
    rows = table.set_index("method")
    assert rows.loc["R-VAE", "size"] == "agrees" and rows.loc["R-VAE", "paper"] == "−12.50 (1.00)"
    assert rows.loc["VAE", "direction"] == "reference" and rows.loc["VAE", "paper"] == "—"


def test_the_paper_has_sizes_of_variability_on_the_toy_alone():
    for data, sizes in (("8 Gaussians", {"larger"}), ("MNIST", {"not comparable"})):
        published = dict(table=1, data=data, method="R-VAE", part="rest", num_points=8)
        published = pd.DataFrame([dict(published, median=-5.0, iqr=0.1)])
        table = rosetta_tables.rosetta_table(rv_table(), published, number=1, data=data)
        chosen = table[table.method == "R-VAE"]
        assert set(chosen["size"]) == sizes and set(chosen.direction) == {"same"}


def test_reconstruction_has_a_verdict_for_every_metric_recipe_and_part():
    values = {
        ("distortion", "rest"): ([1.0, 2.0, 3.0], [2.0, 2.5, 3.0]),
        ("squared_error", "rest"): ([1.0, 1.0, 1.0], [3.0, 3.0, 3.0]),
        ("squared_error", "D2"): ([4.0, 4.0, 4.0], [3.0, 3.0, 3.0]),
    }
    rows = [
        dict(method=method, recipe="r", metric=metric, part=part, value=value)
        for (metric, part), pair in values.items()
        for method, runs in zip(("VAE", "R-VAE"), pair, strict=True)
        for value in runs
    ]
    table = rosetta_tables.reconstruction(pd.DataFrame(rows))
    assert list(table.verdict) == ["as well", "worse", "better"]
    assert list(table.difference) == ["0.50", "2.00", "−1.00"]
    assert table.loc[("distortion", "r", "rest"), "R-VAE"] == "2.50 (0.50)"


def test_the_summary_has_a_row_per_quantity_that_was_measured():
    rows = [
        dict(method=method, recipe="reproducibility", metric="unaligned", part="rest", value=value)
        for method, values in (("VAE", (2.0, 2.5, 1.0)), ("R-VAE", (0.1, 0.2, 0.3)))
        for value in values
    ]
    table = rosetta_tables.summary(pd.DataFrame(rows))
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
    table = rosetta_tables.by_num_points([frame, frame[frame.num_points > 8]])
    assert list(table.columns) == ["R = 8", "R = 32", "R = 64"]
    assert table.loc[("RV", "R1", "R-VAE"), "R = 64"] == "−64.00 (1.00)"
    assert table.loc[("log LSD", "R1", "R-VAE"), "R = 8"] == "—"


def test_medians_are_over_runs_and_templates():
    rows = [
        dict(method=method, metric=metric, part=part, value=shift + value, template=template)
        for method, shift in (("VAE", 0.0), ("R-VAE", -np.inf))
        for metric, part in (("rv", "R1"), ("rv", "rest"), ("rate", "rest"))
        for template, value in ((0, 1.0), (0, 2.0), (1, 6.0))
    ]
    table = rosetta_tables.medians(pd.DataFrame(rows))
    assert table.loc["VAE", "rv"].to_dict() == {"R1": 2.0, "rest": 2.0}
    assert table["rate", "rest"].to_dict() == {"R-VAE": -np.inf, "VAE": 2.0}
    by_template = rosetta_tables.medians(pd.DataFrame(rows), "rate", columns=["template"])
    assert by_template.loc["VAE"].to_dict() == {0: 1.5, 1: 6.0}


def test_the_scale_of_a_committed_table_is_one_line():
    digits = rosetta_tables.scale_of(load_results("digits"), "images")
    assert digits.startswith("scikit-learn digits: 1797 images, 200 epochs, 10 runs, 3 templates")
    assert "601 examples, 150 epochs, 10 runs, 1 template, cpu" in rosetta_tables.scale_of(
        load_results("bengalese_finch")
    )
