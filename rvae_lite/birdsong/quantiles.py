"""Exact percentiles of float32 numbers too many for the memory: they pass by twice."""

import numpy as np

HALF = 16  # bits


class Percentiles:
    """Percentiles as `numpy.percentile` has them, by radix selection on the numbers' bits.

    `count` all numbers first, then `refine` by them all again, then ask for the `values`.
    Infinite values and NaN are left out.

    percents: which, from 0 to 100.
    """

    def __init__(self, percents):
        self.percents = [float(percent) for percent in percents]
        self.upper = np.zeros(2**HALF, np.int64)  # how many numbers have these upper bits
        self.lower = None  # upper bits -> the same of the lower ones, where a percentile lies

    def count(self, numbers: np.ndarray) -> None:
        """Meet some of the numbers, of any shape, for the first time."""
        self.upper += np.bincount(_keys(numbers) >> HALF, minlength=2**HALF)

    def refine(self, numbers: np.ndarray) -> None:
        """Meet them again."""
        if self.lower is None:
            parts = {self._part(rank)[0] for rank in self._ranks()}
            self.lower = {part: np.zeros(2**HALF, np.int64) for part in parts}
        keys = _keys(numbers)
        for part, counts in self.lower.items():
            inside = keys[keys >> HALF == part] & (2**HALF - 1)
            counts += np.bincount(inside, minlength=2**HALF)

    def values(self) -> list[float]:
        """The percentiles; NaN where there were no numbers."""
        total, found = int(self.upper.sum()), []
        for percent in self.percents if total else []:
            place = (total - 1) * percent / 100
            low, high = (self._at(rank) for rank in (int(place), min(int(place) + 1, total - 1)))
            found.append(low + (high - low) * (place - int(place)))
        return found or [float("nan")] * len(self.percents)

    def _ranks(self) -> set[int]:
        last = int(self.upper.sum()) - 1
        places = [int(last * percent / 100) for percent in self.percents]
        return {min(place + more, last) for place in places for more in (0, 1)} - {-1}

    def _part(self, rank: int) -> tuple[int, int]:
        """The upper bits of the number of a rank, and its rank among those that have them."""
        below = np.cumsum(self.upper)
        part = int(np.searchsorted(below, rank, side="right"))
        return part, rank - int(below[part] - self.upper[part])

    def _at(self, rank: int) -> float:
        part, rank = self._part(rank)
        rest = int(np.searchsorted(np.cumsum(self.lower[part]), rank, side="right"))
        return float(_numbers(np.array([part << HALF | rest], np.uint32))[0])


def _keys(numbers: np.ndarray) -> np.ndarray:
    """Finite numbers as integers of the same order, (n,) uint32."""
    bits = numbers[np.isfinite(numbers)].astype(np.float32, copy=False).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(2**31))


def _numbers(keys: np.ndarray) -> np.ndarray:
    """What `_keys` were made of."""
    return np.where(keys >> 31, keys ^ np.uint32(2**31), ~keys).view(np.float32)
