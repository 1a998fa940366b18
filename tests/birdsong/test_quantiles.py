"""Percentiles of numbers that pass by are those of numpy."""

import numpy as np
import pytest

from rvae_lite.birdsong.quantiles import Percentiles

PERCENTS = (0.0, 25.0, 50.0, 99.5, 100.0)


def passed_by(parts, percents=PERCENTS):
    found = Percentiles(percents)
    for part in parts:
        found.count(part)
    for part in parts:
        found.refine(part)
    return found.values()


@pytest.mark.parametrize("count", [1, 2, 3, 10, 999, 30_000])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_they_are_numpys_whatever_the_parts(count, scale):
    values = scale * np.random.default_rng(count).normal(1.0, 3.0, count)
    values = values.astype(np.float32)
    parts = np.array_split(values, 4)
    expected = np.percentile(values, PERCENTS)
    assert passed_by(parts) == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-6 * scale)


def test_equal_numbers_negative_ones_and_zeros_of_both_signs_are_in_order():
    values = np.array([0.0, -0.0, -1.0, -1.0, 2.0, 2.0, 2.0, -3.5], np.float32)
    assert passed_by([values]) == pytest.approx(np.percentile(values, PERCENTS).tolist())


def test_what_is_not_finite_is_left_out_and_nothing_is_nan():
    values = np.array([[-np.inf, 1.0], [np.nan, 3.0]], np.float32)
    assert passed_by([values], (50.0,)) == [2.0]
    assert np.isnan(passed_by([np.full(3, -np.inf, np.float32)], (50.0,))).all()
