"""Whether data are like Rosetta points' inputs: shape, scale, every feature, distances, names.

Points are no random draw but representatives of clusters, so that nothing here asks for their
spread or their weights to be those of the data.
Letters: R Rosetta points, N data points, F features.
"""

import math
import unicodedata
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import as_array, named, root_mean_square
from rvae_lite.coverage import QUANTILES, distances_to_anchors
from rvae_lite.models.forms import Places, far, form_that_fits

RANGE_FACTOR = 10.0  # root mean squares further apart are another scale, not other data
MOST_DATA = 10_000  # that are looked at
MOST_NUMBERS = 10_000_000  # in the data that are looked at
WIDEST = 32  # pixels; larger images are averaged over blocks
LEAST_SHIFT, LEAST_FACTOR = 0.5, 2.0  # of means, in SD, and of SD, that are worth a word
DECODED = 1.5  # times as far from the data decoded inputs may lie: they lack details
FEWEST = 8  # points, and data, of which distances can tell something
UNCOVERED = 0.5  # of the data, from which it is worth a warning
ROUNDED = 1e-5  # of a radius in a header, and of numbers in float32


class Covering(NamedTuple):
    """How far N data lie from the points' inputs: Euclidean distances in the model's units.

    Attributes:
        median, q95, radius: within which half of the data lie, 95 %, and all.
        limit: the distance up to which an example counts as covered: the radius of the sender's
            own data, where the file states it; else the largest distance of an input to its
            nearest other.
        stated: whether the file states it.
        share: of the data that are covered.
        uncovered: rows of those that are not, the farthest first.
    """

    median: float
    q95: float
    radius: float
    limit: float
    stated: bool
    share: float
    uncovered: list[int]

    def __str__(self) -> str:
        many = f"{math.floor(1000 * self.share) / 10:g} % of the examples"
        if not len(self.uncovered):
            many = "all examples"
        near = f"{many} lie no farther from a point's input than"
        own = f"the sender's own data did (radius {self.limit:.3g})"
        if not self.stated:
            own = f"the inputs do from each other ({self.limit:.3g} at most; the file does not "
            own += "say what its points covered)"
        at = f", example {self.uncovered[0]}" if len(self.uncovered) else ""
        return f"covering: {near} {own}; farthest: {self.radius:.3g}{at}"


class CheckReport(NamedTuple):
    """Problems found when points meet new data.  Errors stop training; warnings do not.

    covering: what of the data the points cover; None after errors, or where it cannot be told.
    """

    errors: list[str]
    warnings: list[str]
    covering: Covering | None = None

    def __str__(self) -> str:
        lines = [f"error: {text}" for text in self.errors]
        lines += [f"warning: {text}" for text in self.warnings]
        text, covering = "\n".join(lines) or "the points fit the data", str(self.covering or "")
        return text if covering in text else f"{text}\n{covering}"


def compare_points(points, x, preprocessing=None, names=None, *, doubts=True) -> CheckReport:
    """What `RosettaPoints.check` says, see there."""
    names = named(x).get("names") if names is None else names
    errors = preprocessing_errors(points.header.get("preprocessing"), preprocessing)
    data = as_array("x", x)
    own, theirs = tuple(points.x.shape[1:]), tuple(data.shape[1:])
    if own != theirs:
        problem = f"the points' inputs have shape {own}, the data's {theirs}"
        return CheckReport([*errors, f"{problem}: bring both to one resolution"], [])
    if not len(data):
        return CheckReport([*errors, "the data are empty: pass at least one example"], [])
    if len(points) > len(data):
        counts = f"{len(points)} points for {len(data)} examples"
        errors.append(f"there are {counts}: select fewer points")
    misnamed, warnings = name_problems(points.header.get("names"), names, own)
    scale_errors = _scale_errors(points.x, data)
    latent_dim = points.z.shape[-1]
    if len(points) <= latent_dim:
        problem = f"{len(points)} points cannot pin down {latent_dim} latent dimensions"
        warnings.append(f"{problem}: select at least {latent_dim + 1}")
    if not doubts or scale_errors:
        return CheckReport(errors + misnamed + scale_errors, warnings)
    slack = DECODED if _are_decoded(points) else 1.0
    warnings += _differences(*_some_of(points.x, data), names, slack)
    covering = covering_of(points, data)
    few = covering is not None and covering.stated and covering.share < UNCOVERED
    if few and not warnings:
        warnings.append(f"{covering}: of the others the points say little")
    return CheckReport(errors + misnamed, warnings, covering)


def covering_of(points, data: np.ndarray) -> Covering | None:
    """What of the data, (N, *data), the inputs of `RosettaPoints` cover.

    None where the file does not state it and nothing can stand for it: of one point, and of decoded
    inputs, which lie nearer to each other than data.
    """
    told, limit = points.header.get("covering"), None
    if told is not None:
        limit = float(told["radius"])
    elif len(points) > 1 and not _are_decoded(points):
        limit = max(_to_the_others(points.x, row) for row in range(len(points)))
    else:
        return None
    distances = distances_to_anchors(data, points.x)
    slack = ROUNDED * (limit + root_mean_square(points.x))
    order = np.argsort(-distances, kind="stable")
    uncovered = order[distances[order] > limit + slack].tolist()
    median, q95, largest = np.quantile(distances, list(QUANTILES.values())).tolist()
    share = 1 - len(uncovered) / len(distances)
    return Covering(median, q95, largest, limit, told is not None, share, uncovered)


def check_points(model, x, weighted, *, gated: bool, names=None) -> None:
    """Raises ValueError where weighted points do not fit the model, multi-rate or not, or x."""
    points = weighted.points
    if weighted.power and not gated:
        remedy = "give rho per replica for models of one beta"
        raise ValueError(f"Weighted(power=) is for multi-rate models: {remedy}")
    if getattr(model, "num_tokens", None) is not None:
        reason = "for words have no squared distance"
        raise ValueError(f"a model of texts cannot be anchored, {reason}: pass rho=0")
    latent_dim = points.z.shape[-1]
    if latent_dim != model.latent_dim:
        found = f"K = {latent_dim} latent dimensions, the model has {model.latent_dim}"
        remedy = f"build the model with latent_dim={latent_dim}"
        raise ValueError(f"points have {found}: {remedy}")
    errors = compare_points(points, x, names=names, doubts=False).errors
    if errors:
        raise ValueError("points do not fit the data: " + "; ".join(errors))


def _are_decoded(points) -> bool:
    share = points.header.get("share")
    return isinstance(share, dict) and share.get("inputs") == "decoded"


def _to_the_others(x: np.ndarray, row: int) -> float:
    return float(distances_to_anchors(x[[row]], np.delete(x, row, axis=0))[0])


def preprocessing_errors(theirs, own) -> list[str]:
    """A sentence where the points, `theirs`, and the data were prepared differently."""
    from rvae_lite.storage import differences

    if theirs is None or own is None:
        return []
    theirs, own = (a if isinstance(a, dict) else dict(preprocessing=a) for a in (theirs, own))
    differing = differences(theirs, own, ignore=("normalisation",))
    if not differing:
        return []
    problem = f"the points and the data were prepared differently ({'; '.join(differing)})"
    return [f"{problem}: prepare the data alike"]


def name_problems(theirs, own, shape: tuple, whose="points") -> tuple[list[str], list[str]]:
    """Errors and warnings from the names of the columns, where both have them.

    theirs, own: names that the points, or `whose` other thing, and the data have, or None.
    """
    if own is None:
        return [], []
    own = [unicodedata.normalize("NFC", str(name)).strip() for name in own]
    if shape != (len(own),):
        return [f"there are {len(own)} names for data of shape {shape}: pass one a column"], []
    if not isinstance(theirs, list) or len(theirs) != len(own):
        return [], []
    theirs = [unicodedata.normalize("NFC", str(name)).strip() for name in theirs]
    places = [j for j, (one, other) in enumerate(zip(own, theirs, strict=True)) if one != other]
    if not places:
        return [], []
    first = places[0]
    problem = f"column {first} of the data is {own[first]!r}, of the {whose} {theirs[first]!r}"
    order = "the points'" if whose == "points" else "that"
    if sorted(own) == sorted(theirs):
        return [f"{problem}: bring the columns into {order} order"], []
    return [], [f"{problem} ({len(places)} of {len(own)} differ): are they the same quantities?"]


def _scale_errors(x: np.ndarray, data: np.ndarray) -> list[str]:
    """Errors from the root mean squares of the points' inputs and the data."""
    own, theirs = root_mean_square(x), root_mean_square(data)
    if not np.isfinite(theirs):
        return ["the data hold NaN or infinite values: drop those examples"]
    if max(own, theirs) <= RANGE_FACTOR * max(min(own, theirs), 1e-300):
        return []
    scales = f"the points' inputs (root mean square {own:.3g}) and the data ({theirs:.3g})"
    return [f"{scales} are on different scales: prepare both alike (0-255 or 0-1?)"]


def _some_of(x: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Points' inputs, (R, *data), and some of the data, averaged over blocks; the blocks' sides."""
    sides = np.ones(x.ndim - 1, dtype=int)
    if x.ndim > 2:
        sides[-2:] = -(-np.array(x.shape[-2:]) // WIDEST)
    most = min(MOST_DATA, MOST_NUMBERS // math.prod(x.shape[1:]))
    drawn = np.sort(np.random.default_rng(0).permutation(len(data))[: max(200, most)])
    sets = []
    for array in (x, data[drawn]):
        values = array.astype(np.float64) / (255.0 if array.dtype == np.uint8 else 1.0)
        for axis, side in enumerate(sides, start=1):
            values = _averaged(values, axis, side)
        sets.append(values)
    return *sets, tuple(sides)


def _averaged(values: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Means over runs of `side` along an axis; the last run may be shorter."""
    if side == 1:
        return values
    starts = np.arange(0, values.shape[axis], side)
    lengths = np.diff([*starts, values.shape[axis]])
    shape = [-1 if at == axis else 1 for at in range(values.ndim)]
    return np.add.reduceat(values, starts, axis=axis) / lengths.reshape(shape)


def _differences(points, data, sides: tuple, names, slack: float) -> list[str]:
    """Sentences on what is unlike: features, distances, and the form in which both would fit."""
    places = Places(data)
    like = points[places.nearest_points(points)]
    said = _feature_doubts(points, data, like, sides, names) + _spread_doubts(points, data, like)
    if min(len(points), len(places.rows)) < FEWEST:
        return said
    away, beyond = places.nearest(points)
    if far(away, beyond, slack):
        share, factor = np.mean(away > beyond), np.median(away / np.maximum(beyond, 1e-300))
        lie = f"{share:.0%} of the points' inputs lie farther from the nearest example than it "
        lie += f"does from the others (in the median {factor:.2g} times as far)"
        said.append(f"{lie}: prepare the data as the points were, or expect other kinds of data")
    options = dict(slack=slack, thorough=bool(said))
    name, factor = form_that_fits(points, data, places, away, **options)
    if name:
        much = f"{factor:.2g} times" if factor < 1000 else "incomparably"
        nearer = f"so changed, the points' inputs lie {much} nearer to them"
        said.append(f"the data look {name} ({nearer}): prepare them as the points' inputs were")
    return said


def _feature_doubts(points, data, like, sides: tuple, names) -> list[str]:
    """What is unlike in the mean and, of tables, in the spread of each feature.

    points: (R, *data); data: (N, *data); like: points in their place, as many times as data are
    near to each, so that nothing is held against the points for standing for clusters.
    """
    own, theirs, like = (a.reshape(len(a), -1) for a in (points, data, like))
    largest = np.maximum(np.abs(own).max(0), np.abs(theirs).max(0))
    tiny = np.maximum(1e-6 * largest, 1e-30)  # float32 rounds
    images = points.ndim > 2
    shifts, factors = _unlike(own, theirs, tiny, images=images)
    near_shifts, near_factors = _unlike(like, theirs, tiny, images=images)
    # The largest of F standard normal numbers is about the first term.
    bound = math.sqrt(2 * math.log(2 * own.shape[1])) + 2
    bound *= math.sqrt(1 / len(own) + 1 / len(theirs))
    differing = (shifts > max(LEAST_SHIFT, bound)) & (near_shifts > LEAST_SHIFT)
    if not images:
        peaked = np.maximum(_kurtosis(own, tiny), _kurtosis(theirs, tiny))
        least = np.maximum(math.log(LEAST_FACTOR), bound * np.sqrt((peaked - 1) / 4))
        differing |= (factors > least) & (near_factors > math.log(LEAST_FACTOR))
        shifts = np.maximum(shifts, factors)
    if len(own) < 2 or not differing.any():
        return []
    worst = int(np.where(differing, shifts, -1).argmax())
    found = (f"{a[:, worst].mean():.3g} ± {a[:, worst].std():.3g}" for a in (own, theirs))
    told = "{} in the points' inputs and {} in the data (mean ± SD)".format(*found)
    place = _place(worst, points.shape[1:], sides, names)
    count = f"{differing.sum()} of {len(shifts)} features differ"
    return [f"{count}, most of all {place}, {told}: same units, order and orientation?"]


def _unlike(own, theirs, tiny, *, images: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of each feature, how far two means are apart, in the larger SD, and the spreads' log factor.

    Of that the smaller of SD's and the quartiles': rare values make the first differ and leave the
    second.
    """
    widths = [np.maximum(a.std(0), tiny) for a in (own, theirs)]
    wide = np.maximum(*widths)
    if images:  # pixels have one unit, and many are nearly constant
        wide = np.maximum(wide, 0.2 * math.sqrt(np.square(wide).mean()))
    shifts = np.abs(own.mean(0) - theirs.mean(0)) / wide
    quartiles = (np.subtract(*np.quantile(a, [0.75, 0.25], axis=0)) for a in (own, theirs))
    of_sd = np.log(widths[0] / widths[1])
    of_quartiles = np.log(np.divide(*(np.maximum(a, tiny) for a in quartiles)))
    alike = np.sign(of_sd) == np.sign(of_quartiles)
    return shifts, np.where(alike, np.minimum(np.abs(of_sd), np.abs(of_quartiles)), 0.0)


def _spread_doubts(points: np.ndarray, data: np.ndarray, like: np.ndarray) -> list[str]:
    """What is unlike in the spread of images, over all pixels together."""
    own, theirs, near = (max(math.sqrt(a.var(0).mean()), 1e-30) for a in (points, data, like))
    least = max(math.log(LEAST_FACTOR), 2 * math.sqrt(1 / len(points) + 1 / len(data)))
    differing = abs(math.log(own / theirs)) > least
    differing &= abs(math.log(near / theirs)) > math.log(LEAST_FACTOR)
    if points.ndim == 2 or len(points) < 2 or not differing:
        return []
    spreads = f"the points' inputs have an SD of {own:.3g}, the data of {theirs:.3g}"
    return [f"{spreads}, over all pixels: same units?"]


def _kurtosis(values: np.ndarray, tiny: np.ndarray) -> np.ndarray:
    """Of each column, 3 at least: how rare the values are that make its variance."""
    scaled = (values - values.mean(0)) / np.maximum(values.std(0), tiny)
    return np.maximum(np.power(scaled, 4).mean(0), 3.0)


def _place(feature: int, shape: tuple, sides: tuple, names) -> str:
    """A feature in words."""
    if len(shape) == 1:
        return f"column {feature}" + ("" if names is None else f" ({list(names)[feature]!r})")
    indices = np.array(np.unravel_index(feature, shape)) * sides
    around = "around " if max(sides) > 1 else ""
    return f"{around}place {tuple(indices.tolist())}"
