"""What `fit` asks of its arguments and data: each refusal is one sentence with its remedy."""

import numpy as np
import pytest
import torch
from toy import terms_of, toy_data, toy_model, toy_points

from rvae_lite import VAE, fit
from rvae_lite.models.checks import check_data

REFUSED = [
    (dict(replicas=0), "replicas must be a positive integer, not 0"),
    (dict(replicas=2.0), "replicas must be a positive integer, not 2.0"),
    (dict(epochs=0), "epochs must be a positive integer, not 0"),
    (dict(epochs=True), "epochs must be a positive integer, not True"),
    (dict(batch_size=-5), "batch_size must be a positive integer, not -5"),
    (dict(learning_rate=0.0), "learning_rate must be a positive number, not 0.0"),
    (dict(learning_rate=None), "learning_rate must be a positive number, not None"),
    (dict(learning_rate=float("nan")), "learning_rate must be a positive number, not nan"),
    (dict(beta=-1.0), r"beta must be finite and not negative, not \[-1.0, -1.0\]"),
    (dict(beta=[1.0, float("inf")]), r"beta must be finite and not negative, not \[1.0, inf\]"),
    (
        dict(beta=[1.0, 2.0, 3.0]),
        r"beta must be a number or one per replica \(2\), not of shape \(3,\)",
    ),
    (dict(beta="high"), r"beta must be a number or one per replica \(2\), not 'high'"),
    (dict(rho=[1.0]), r"rho must be a number or one per replica \(2\), not of shape \(1,\)"),
    (dict(rho=-0.1, points=toy_points()), "rho must be finite and not negative"),
    (dict(rho=1.0), "rho is positive but there are no points: pass points=RosettaPoints, or rho=0"),
    (dict(seed=-1), "seed must be a non-negative integer or one per replica, not -1"),
    (dict(seed=1.5), "seed must be a non-negative integer or one per replica, not 1.5"),
    (dict(seed=[1, 2, 3]), "seed lists 3 seeds for 2 replicas: give one per replica"),
    (dict(seed=[1, -2]), r"seed must be a non-negative integer or one per replica, not \[1, -2\]"),
    (dict(compile="yes"), "compile must be True, False or 'auto', not 'yes'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_arguments_that_do_not_fit_are_refused(options, message):
    settings = dict(replicas=2, epochs=1, batch_size=50) | options
    with pytest.raises(ValueError, match=message):
        fit(toy_model(), toy_data(), **settings)


IMAGES = np.zeros((20, 1, 2, 2), np.float32)
NAN_IN_TWO = np.where(np.isin(np.arange(20), [3, 7])[:, None, None, None], np.nan, IMAGES)
REFUSED_DATA = [
    (IMAGES[:, 0], r"x must be \(N, 1, 2, 2\) for this model, not \(20, 2, 2\)"),
    (IMAGES[:, :, :1], r"x must be \(N, 1, 2, 2\) for this model, not \(20, 1, 1, 2\)"),
    (IMAGES[0], r"x must be \(N, 1, 2, 2\) for this model, not \(1, 2, 2\)"),
    (IMAGES[:0], "x holds 0 examples, at least 2 needed: pass more data"),
    (IMAGES[:1], "x holds 1 example, at least 2 needed: pass more data"),
    (NAN_IN_TWO, "x has NaN or infinite values in 2 examples, first in 3: drop them"),
    (IMAGES + np.inf, "x has NaN or infinite values in 20 examples, first in 0: drop them"),
    (
        IMAGES.astype(np.int64),
        "x holds torch.int64: convert it to floats in the model's units, or to uint8 for images",
    ),
    (IMAGES > 0, "x holds torch.bool: convert it to floats"),
    (
        IMAGES + 255,
        r"x ranges over \[255, 255\], the model over \[0, 1\]: rescale x .uint8 images are rescaled",
    ),
    (IMAGES - 1e-3, r"x ranges over \[-0.001, -0.001\], the model over \[0, 1\]"),
    (np.array([["a"]]), r"x must be a numeric array, not <U1: convert it"),
    ([[1.0], [1.0, 2.0]], r"x must be a numeric array, \(N, \*data\)"),
]


@pytest.mark.parametrize(("x", "message"), REFUSED_DATA)
def test_data_that_do_not_fit_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        fit(VAE.mlp((1, 2, 2), 2, (4,), value_range=(0.0, 1.0)), x, epochs=1, batch_size=10)


def test_data_may_be_lists_arrays_or_tensors_of_any_float():
    x = toy_data()[:20]
    expected = fit(toy_model(), x, epochs=1, batch_size=10).weights
    read_only, swapped = x.numpy().copy(), x.numpy().astype(">f8")
    read_only.flags.writeable = False
    backwards = np.ascontiguousarray(x.numpy()[::-1])[::-1]
    for same in (x.tolist(), x.numpy(), x.clone().requires_grad_(), read_only, swapped, backwards):
        assert torch.equal(fit(toy_model(), same, epochs=1, batch_size=10).weights, expected)
    single = fit(toy_model(), x.float(), epochs=1, batch_size=10)
    assert single.weights.dtype == torch.float64  # the model's dtype is the training's
    torch.testing.assert_close(single.weights, expected, rtol=0, atol=1e-5)


def test_gaussian_data_without_a_declared_range_may_have_any():
    space = fit(toy_model(), 100 * toy_data(), epochs=1, batch_size=50)
    assert np.isfinite(terms_of(space)).all()


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_an_array_on_disk_is_read_where_it_lies(tmp_path, mode):
    model = VAE.mlp((1, 4, 4), 2, (8,))
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 4, 4), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode=mode)
    assert np.shares_memory(check_data(model, mapped, minimum=1).numpy(), mapped)
    of_disk, of_memory = (fit(model, x, epochs=1, batch_size=10) for x in (mapped, images))
    assert torch.equal(of_disk.weights, of_memory.weights)
    assert np.array_equal(mapped, images)
