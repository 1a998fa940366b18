"""Small data sets that need no files: 8 Gaussians, and scikit-learn's digits, grey or binary.

Martinez & Pearson (2021), Appendix A, for the Gaussians.  Letters: N data points.
"""

import numpy as np

from rvae_lite.data.dataset import Dataset, draw_parts, in_parts, numbered
from rvae_lite.data.folders import info_of


def load_eight_gaussians(*, seed: int = 0, num_per_class: int = 800) -> Dataset:
    """Eight unit Gaussians in 5 dimensions, their means every 45 degrees on a circle of radius 40.

    Dimensions 3 and 4 have mean 0, dimension 5 has mean 1; D1 holds the four at 45 to 180 degrees.
    """
    if num_per_class < 1:
        raise ValueError(f"num_per_class must be positive, not {num_per_class}")
    labels = np.repeat(np.arange(8), num_per_class)
    angle = np.deg2rad(45.0 * labels)
    zero = np.zeros(len(labels))
    mean = np.stack([40 * np.cos(angle), 40 * np.sin(angle), zero, zero, zero + 1], axis=1)
    x = mean + np.random.default_rng(seed).standard_normal(mean.shape)
    part = np.where(np.isin(labels, [1, 2, 3, 4]), 1, 2)
    info = info_of("eight_gaussians", value_range=None)
    return Dataset(x.astype(np.float32), labels, numbered("g", len(x)), part, info)


def load_digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 8x8 pixels in [0, 1]; D1 holds 0 to 4."""
    from sklearn.datasets import load_digits as load_from_scikit_learn

    bunch = load_from_scikit_learn()
    x = (bunch.images / 16).astype(np.float32)[:, None]  # (N, 1, 8, 8)
    part = np.where(bunch.target < 5, 1, 2)
    info = info_of("digits", value_range=(0.0, 1.0))
    return Dataset(x, bunch.target, numbered("digit", len(x)), part, info)


def load_binary_digits(*, seed: int = 0, threshold: float = 0.5) -> Dataset:
    """scikit-learn's 1,797 digits, 8x8, binary: 255 above `threshold` of full ink, else 0.

    Args:
        seed: of the split in `draw_parts`.
        threshold: from 0 to below 1.
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1, not {threshold}")
    digits = load_digits()
    images = np.where(digits.x.astype(float) > threshold, 255, 0).astype(np.uint8)
    info = info_of("binary_digits", binarisation=f"1 above {threshold} of full ink")
    return in_parts(images, draw_parts(len(images), seed), info, labels=digits.labels)
