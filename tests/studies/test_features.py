"""Features of images from a small encoder that is trained on the spot."""

import numpy as np
import pytest
import torch

from rvae_lite import data, metrics
from rvae_lite.studies.features import features_of, quarter_turns


def test_the_small_encoder_tells_digits_from_noise_and_half_of_them_from_the_other_half():
    digits = data.load("digits", num_examples=600)
    noise = np.random.default_rng(0).random((300, 1, 8, 8)).astype(np.float32)
    before = torch.random.get_rng_state()
    options = dict(reference=digits.x, labels=digits.labels)
    features, name = features_of(np.concatenate([digits.x, noise]), **options)
    assert torch.equal(before, torch.random.get_rng_state())
    assert features.shape == (900, 64) and features.dtype == np.float64
    assert name == "small classifier of 600 images (seed 0)"
    first, second, other = features[:300], features[300:600], features[600:]
    assert metrics.frechet_distance(first, second) < 0.2 * metrics.frechet_distance(first, other)
    np.testing.assert_allclose(
        features_of(digits.x, **options)[0], features[:600], rtol=1e-4, atol=1e-4
    )


def test_images_and_references_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"reference must be labelled images like images, not \(3, 1, 8, 8\) with"
    ):
        features_of(np.zeros((2, 1, 8, 8)), reference=np.zeros((3, 1, 8, 8)), labels=[0, 1])
    reference = dict(reference=np.zeros((3, 1, 8, 8)), labels=[0, 1, 1])
    for bad in (
        np.zeros((2, 8, 8)),
        np.full((2, 1, 8, 8), 255.0),
        np.zeros((2, 1, 8, 8), dtype=int),
    ):
        with pytest.raises(
            ValueError, match=r"images must be \(N, 1 or 3, H, W\), uint8 or floats in \[0, 1\]"
        ):
            features_of(bad, **reference)


def test_images_are_turned_by_quarters():
    images = np.arange(8).reshape(2, 1, 2, 2)
    turned, turns = quarter_turns(images)
    assert turned.shape == (8, 1, 2, 2) and list(turns) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (np.rot90(turned[turns == 3], axes=(2, 3)) == images).all()
