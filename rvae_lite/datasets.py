"""What a data set is made of: the examples, their labels, ids and laboratories, and where they come from.

Letters: N examples.
"""

from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """N examples.

    x: (N, *data), float32, or uint8 for images in 0-255, or int64 for tokens of texts.
    labels: class of each example, (N,) integers.
    ids: its name, (N,) text, stable from load to load.
    part: 1 where the example belongs to the paper's D1, 2 where to D2, (N,).
    info: name, title, source, licence, value_range; `stands_for` where it is a stand-in for another set.
    """

    x: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    part: np.ndarray
    info: dict

    def take(self, index) -> "Dataset":
        """The examples at `index` (integers, a mask or a slice)."""
        return Dataset(self.x[index], self.labels[index], self.ids[index], self.part[index], self.info)
