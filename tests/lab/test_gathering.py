"""Examples of a training side by side, in memory or on disk, are the same."""

import numpy as np
import pytest

from rvae_lite.lab import gathering
from rvae_lite.lab.gathering import gathered

ROWS = np.array([0, 3, 4, 30, 39])


def data(dtype):
    values = np.random.default_rng(0).uniform(0, 255, (40, 1, 4, 4))
    return values.astype(dtype) if dtype == np.uint8 else (values / 255).astype(dtype)


@pytest.fixture(params=["memory", "disk"])
def place(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(gathering, "IN_MEMORY", 0)
        monkeypatch.setattr("rvae_lite.arrays.PIECE", 100)
    return request.param


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
@pytest.mark.parametrize("other", [None, np.uint8, np.float32])
def test_chosen_rows_and_points_are_one_array(place, dtype, other):
    x, points = data(dtype), None if other is None else data(other)[:3] / other(2)
    points = None if points is None else points.astype(other)
    found = gathered(x, ROWS, points)
    assert isinstance(found, np.memmap) == (place == "disk")
    scaled = found / 255 if found.dtype == np.uint8 else found
    rows = x[ROWS] / 255 if dtype == np.uint8 else x[ROWS]
    assert np.allclose(scaled[:5], rows, atol=1e-6)
    if points is not None:
        expected = points / 255 if other == np.uint8 else points
        assert np.allclose(scaled[5:], expected, atol=5e-4)
    assert len(found) == 5 + (0 if points is None else 3)
    widened = other not in (None, dtype) and dtype != np.float16
    assert found.dtype == (np.float32 if widened else dtype)


def test_points_that_float16_cannot_hold_make_floats_of_all(place):
    points = np.full((2, 1, 4, 4), 1e6, np.float32)
    found = gathered(data(np.float16), ROWS, points)
    assert found.dtype == np.float32 and (found[5:] == 1e6).all()
