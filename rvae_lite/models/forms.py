"""Data as places that points' inputs lie near to, or would in another form: turned, in other units.

Letters: R Rosetta points, N data points, F features, P different places among the data.
"""

import math
from collections.abc import Iterator

import numpy as np

MOST_PLACES = 2_000  # that are compared with each other
NEARER = 0.85  # of the distance, that another form of the points has to reach
MUCH_NEARER = 0.7  # the same, where nothing else is unlike and not nearly all points agree
MOST_COLUMNS = 400  # whose order is looked for


class Places:
    """Different examples among the data, and how far others are from them.

    Columns of a table, (N, F), count in their own SD; pixels are of one unit as they are.
    """

    def __init__(self, data: np.ndarray):
        drawn = np.random.default_rng(1).permutation(len(data))[:MOST_PLACES]
        flat = data.reshape(len(data), -1)
        self.centre, self.width = flat.mean(0), 1.0
        if data.ndim == 2:
            width = flat.std(0)
            self.width = np.where(width > 1e-6 * np.abs(flat).max(0), width, 1.0)
        flat = self._scaled(flat[drawn])
        self.rows = np.stack(list({row.tobytes(): row for row in flat}.values()))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return (values.reshape(len(values), -1) - self.centre) / self.width + 0.0

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each point, (R, *data), the distance to the nearest place, and that place's own."""
        squared = self._squared(self._scaled(points))
        found = squared.argmin(1)
        others = self._squared(self.rows[found])
        others[np.arange(len(found)), found] = np.inf
        return np.sqrt(squared.min(1)), np.sqrt(others.min(1))

    def nearest_points(self, points: np.ndarray) -> np.ndarray:
        """Of each place the number of the nearest point: (P,)."""
        return self._squared(self._scaled(points)).argmin(0)

    def _squared(self, rows: np.ndarray) -> np.ndarray:
        lengths = np.square(rows).sum(1)[:, None] + np.square(self.rows).sum(1)
        squared = lengths - 2 * rows @ self.rows.T
        return np.where(squared > 1e-12 * lengths, squared, 0.0)


def far(away: np.ndarray, beyond: np.ndarray, slack: float) -> bool:
    """Whether points are farther from the data than these are from each other: (R,) each.

    Half of them are by chance, whatever the density and the weights of the clusters.  slack: how
    many times as far they may be, in the median, beside what is chance.
    """
    chance, beyond = 1 / math.sqrt(len(away)), np.maximum(beyond, 1e-300)
    often = np.mean(away > beyond) >= min(0.5 + 1.75 * chance, 1.0)
    return bool(often and np.median(away / beyond) > slack * (1 + 1.6 * chance))


def form_that_fits(
    points: np.ndarray,
    data: np.ndarray,
    places: Places,
    away: np.ndarray,
    *,
    slack: float,
    thorough: bool,
) -> tuple[str, float]:
    """The change of the points that brings them to the data, and how many times nearer; or "".

    It must bring nearly all of them nearer, so that symmetrical data are left alone; a change of
    units on top must bring them nearer still.
    """
    best, nearest, usual = "", 1.0, max(float(np.median(away)), 1e-300)
    wanted, surely = (min(0.5 + z / math.sqrt(len(away)), 1.0) for z in (1.25, 1.75))
    for name, changed, simple in _forms(points, data, thorough=thorough):
        there, beyond = places.nearest(changed)
        share = float(np.median(there)) / usual
        wins = np.mean(there < away)
        least = NEARER if thorough or wins >= surely else MUCH_NEARER
        fits = wins >= wanted and not far(there, beyond, slack)
        if fits and share < min(least, nearest * (1.0 if simple else NEARER)):
            best, nearest = name, share
    return best, 1 / max(nearest, 1e-6)


def _forms(points: np.ndarray, data: np.ndarray, *, thorough: bool) -> Iterator[tuple]:
    """Names, changed points, whether only their axes changed; if thorough, other units too."""
    turned = [(name, turn(points)) for name, turn in TURNS.items() if points.ndim > 2]
    if points.ndim == 4 and points.shape[1] in (3, 4):
        turned.append(("to have its channels in reverse order", points[:, ::-1]))
    if points.ndim == 2 and 1 < points.shape[1] <= MOST_COLUMNS:
        turned.append(_sorted_columns(points, data))
    turned = [(name, a) for name, a in turned if name and a.shape == points.shape]
    for name, changed in turned:
        yield name, changed, True
    scale, ends = data.std() / max(points.std(), 1e-300), points.min() + points.max()
    if points.min() >= 0 and points.max() <= 1:
        ends = 1.0
    for name, changed in [("", points), *turned] if thorough else []:
        also = f"{name} and " * bool(name)
        yield f"{also}inverted", ends - changed, False
        yield f"{also}negated", -changed, False
        for sign, units in ((1, "in other units"), (-1, "inverted, in other units")):
            yield also + units, sign * scale * (changed - points.mean()) + data.mean(), False


def _sorted_columns(points: np.ndarray, data: np.ndarray) -> tuple[str, np.ndarray]:
    """The points' columns in the order in which their distributions are most like the data's."""
    from scipy.optimize import linear_sum_assignment

    levels = np.linspace(0.05, 0.95, 10)
    own, theirs = (np.quantile(a, levels, axis=0).T for a in (points, data))  # (F, 10)
    width = np.maximum(data.std(0), 1e-6 * np.abs(data).max(0) + 1e-30)
    costs = np.abs(theirs[:, None] - own[None]).mean(2) / width[:, None]
    order = linear_sum_assignment(costs)[1]
    listed = ", ".join(map(str, order[:8])) + ", ..." * (len(order) > 8)
    moved = (order != np.arange(len(order))).any()
    return f"sorted otherwise (columns {listed} of the points')" * bool(moved), points[:, order]


TURNS = {
    "transposed": lambda x: x.swapaxes(-1, -2),
    "mirrored left to right": lambda x: x[..., ::-1],
    "mirrored up and down": lambda x: x[..., ::-1, :],
    "turned upside down": lambda x: np.rot90(x, 2, (-2, -1)),
    "turned a quarter to the left": lambda x: np.rot90(x, 1, (-2, -1)),
    "turned a quarter to the right": lambda x: np.rot90(x, 3, (-2, -1)),
    "mirrored at the other diagonal": lambda x: np.rot90(x, 2, (-2, -1)).swapaxes(-1, -2),
    "shifted to the left": lambda x: np.roll(x, -1, -1),
    "shifted to the right": lambda x: np.roll(x, 1, -1),
    "shifted upwards": lambda x: np.roll(x, -1, -2),
    "shifted downwards": lambda x: np.roll(x, 1, -2),
}
