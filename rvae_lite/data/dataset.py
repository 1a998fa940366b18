"""What a data set is made of: the examples, their labels, ids and laboratories, and where they come from.

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
        ids: its name, (N,) text, stable from load to load.
        part: 1 where the example belongs to the paper's D1, 2 where to D2, (N,); where `info` has `parts`, 1 in the
            training, 2 in the validation, 3 in the test set.
        info: name, title, source, licence, value_range; `stands_for` where it is a stand-in for another set.
        factors: index of the value of each known factor of variation, (N, F) integers, None if none is known; then
            `info` has `factor_names` and `factor_sizes`, the number of values of each.
    """

    x: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    part: np.ndarray
    info: dict
    factors: np.ndarray | None = None

    def take(self, index) -> "Dataset":
        """The examples at `index` (integers, a mask or a slice)."""
        factors = None if self.factors is None else self.factors[index]
        return Dataset(
            self.x[index], self.labels[index], self.ids[index], self.part[index], self.info, factors
        )


def draw_parts(count: int, seed: int) -> np.ndarray:
    """A split at random: 20 % are the test set, 10 % of the rest the validation set, (count,)."""
    order = np.random.default_rng(seed).permutation(count)
    return draw_validation(np.where(order < round(TEST_SHARE * count), TEST, TRAIN), seed)


def draw_validation(part: np.ndarray, seed: int) -> np.ndarray:
    """The parts, (N,), a random tenth of the training set made the validation set."""
    members = np.random.default_rng(seed).permutation(np.flatnonzero(part == TRAIN))
    part = part.copy()
    part[members[: round(VALID_SHARE * len(members))]] = VALID
    return part
