"""8 Gaussians with their exact geometry, and scikit-learn's digits, grey and binary."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rvae_lite import data


def test_eight_gaussians_have_their_means_every_45_degrees_on_a_circle_of_radius_40():
    dataset = data.load("eight_gaussians")
    assert dataset.x.shape == (6400, 5)
    assert dataset.x.dtype == np.float32
    assert np.bincount(dataset.labels).tolist() == [800] * 8
    for label in range(8):
        cluster = dataset.x[dataset.labels == label].astype(np.float64)
        angle = np.pi / 4 * label
        expected = [40 * np.cos(angle), 40 * np.sin(angle), 0, 0, 1]
        standard_error = 1 / np.sqrt(800)
        assert np.abs(cluster.mean(0) - expected).max() < 5 * standard_error
        assert np.abs(np.cov(cluster.T) - np.eye(5)).max() < 5 * np.sqrt(2) * standard_error


def test_eight_gaussians_are_their_means_plus_standard_normal_noise_exactly():
    labels = np.repeat(np.arange(8), 800)
    angle = np.deg2rad(45 * labels)
    mean = np.stack(
        [40 * np.cos(angle), 40 * np.sin(angle), 0 * angle, 0 * angle, 1 + 0 * angle], axis=1
    )
    noise = np.random.default_rng(3).standard_normal((6400, 5))
    np.testing.assert_allclose(
        data.load("eight_gaussians", seed=3).x, mean + noise, rtol=0, atol=1e-5
    )


def test_d1_of_the_eight_gaussians_is_the_half_circle_from_45_to_180_degrees():
    dataset = data.load("eight_gaussians")
    angles = 45 * np.unique(dataset.labels[dataset.part == 1])
    assert angles.tolist() == [45, 90, 135, 180]
    assert np.unique(dataset.part).tolist() == [1, 2]


def test_generated_data_depend_on_the_seed_alone():
    first, again, other = (data.load("eight_gaussians", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)


def test_digits_are_those_of_scikit_learn_scaled_to_one():
    dataset, bunch = data.load("digits"), load_digits()
    assert dataset.x.shape == (1797, 1, 8, 8)
    assert np.array_equal(dataset.x[:, 0] * 16, bunch.images)
    assert np.array_equal(dataset.labels, bunch.target)
    assert np.array_equal(dataset.part == 1, bunch.target <= 4)
    assert dataset.info["stands_for"] == "MNIST"


def counts(dataset):
    return np.bincount(dataset.part, minlength=4)[1:].tolist()


def test_binary_digits_are_the_digits_above_a_threshold_in_three_parts():
    dataset, bunch = data.load("binary_digits"), load_digits()
    assert dataset.x.shape == (1797, 1, 8, 8) and dataset.x.dtype == np.uint8
    np.testing.assert_array_equal(dataset.x[:, 0] == 255, bunch.images > 8)
    assert set(np.unique(dataset.x)) == {0, 255}
    assert counts(dataset) == [1294, 144, 359]
    assert dataset.info["parts"] == ["training", "validation", "test"]
    assert np.array_equal(dataset.labels, bunch.target)
    other = data.load("binary_digits", seed=1, threshold=0)
    assert counts(other) == counts(dataset) and not np.array_equal(other.part, dataset.part)
    np.testing.assert_array_equal(other.x[:, 0] == 255, bunch.images > 0)


def test_a_threshold_that_no_pixel_exceeds_is_refused():
    with pytest.raises(ValueError, match="threshold must be at least 0 and below 1, not 1"):
        data.load("binary_digits", threshold=1)
