"""A data set: examples with labels, ids and parts; and how examples are divided into parts.

Letters: N examples, F factors of variation.
"""

from typing import NamedTuple

import numpy as np

TRAIN, VALID, TEST = 1, 2, 3
PARTS = ["training", "validation", "test"]
TEST_SHARE = 0.2  # of a set that comes without a split
VALID_SHARE = 0.1  # of a training set that comes without a validation set


class Dataset(NamedTuple):
    """N examples.

    Attributes:
        x: (N, *data), float32, or uint8 for images in 0-255, or int64 for tokens of texts.
        labels: class of each example, (N,) integers.
        ids: name of each example, (N,) text, the same from load to load.
        part: 1 for the paper's D1, 2 for D2, (N,).  Where `info` has `parts`: 1 for the training,
            2 for the validation, 3 for the test set.
        info: name, title, source, licence, value_range; a stand-in `stands_for` another set.
        factors: index of the value of each known factor of variation, (N, F) integers, or None.
            With factors, `info` has `factor_names` and `factor_sizes`, the values of each.
    """

    x: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    part: np.ndarray
    info: dict
    factors: np.ndarray | None = None

    def take(self, index) -> "Dataset":
        """The examples at `index` (integers, a mask or a slice)."""
        x, labels, ids, part, info, factors = self
        factors = None if factors is None else factors[index]
        return Dataset(x[index], labels[index], ids[index], part[index], info, factors)


def numbered(prefix: str, count: int) -> np.ndarray:
    """The ids <prefix>0, <prefix>1, ..., (count,)."""
    return np.char.add(prefix, np.arange(count).astype(str))


def in_parts(images: np.ndarray, part: np.ndarray, info: dict, *, labels=None) -> Dataset:
    """Images (N, C, H, W) uint8 in training, validation and test set; labels by default all 0."""
    labels = np.zeros(len(images), dtype=int) if labels is None else labels
    info = info | dict(value_range=(0.0, 1.0), parts=PARTS)
    return Dataset(images, labels, numbered(info["name"], len(images)), part, info)


def draw_parts(count: int, seed: int) -> np.ndarray:
    """A random split, (count,): 20 % are the test set, 10 % of the rest the validation set."""
    order = np.random.default_rng(seed).permutation(count)
    return draw_validation(np.where(order < round(TEST_SHARE * count), TEST, TRAIN), seed)


def draw_validation(part: np.ndarray, seed: int) -> np.ndarray:
    """The parts (N,) after a random tenth of the training set became the validation set."""
    members = np.random.default_rng(seed).permutation(np.flatnonzero(part == TRAIN))
    part = part.copy()
    part[members[: round(VALID_SHARE * len(members))]] = VALID
    return part


def select_partition(name: str):
    """The function (model of each image (N,), seed) -> 1 for D1, 2 for D2, (N,).

    D1 holds a random half of the images ("random", as in the paper) or of the models ("model").
    """
    if name not in PARTITIONS:
        raise ValueError(f"partition must be one of {sorted(PARTITIONS)}, not {name!r}")
    return PARTITIONS[name]


def _half_of_the_images(models: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.default_rng([seed, 0, 0])  # other numbers than those that draw a subset
    return np.where(random.permutation(len(models)) < len(models) // 2, 1, 2)


def _half_of_the_models(models: np.ndarray, seed: int) -> np.ndarray:
    names, index = np.unique(models, return_inverse=True)
    return _half_of_the_images(names, seed)[index]


PARTITIONS = dict(random=_half_of_the_images, model=_half_of_the_models)
