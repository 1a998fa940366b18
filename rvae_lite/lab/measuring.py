"""Measures between two latent spaces that are taken on examples which no map was fitted on.

Linear centred kernel alignment is that of Kornblith et al. (2019), by the unbiased estimator of
Song et al. (2012), as in Nguyen et al. (2021).
Letters: S spaces, N data points, P different examples among them, K latent dimension,
B resamplings.
"""

from functools import wraps

import numpy as np

from rvae_lite.alignment import (
    latent_space_distortion,
    linear_map,
    map_is_exact,
    orthogonal_map,
    total_variance,
)
from rvae_lite.models import checks
from rvae_lite.rivals import fit_map

NEIGHBOURS = 10
SAME_PLACE = 1e-6  # of a space's standard deviation: closer examples are one
DEAD = 1e-6  # of the widest direction's standard deviation: narrower ones are left out
RIVALS = dict(similarity="rotation and scale", ridge="ridge affine", smooth="smooth")
RIVALS |= dict(relative="relative cosines")
FROM_ANCHORS = ["procrustes", "affine", *RIVALS]


def on_one_thread(function):
    """The function on one thread: matrices of this size make threads wait for each other."""

    @wraps(function)
    def called(*arguments, **options):
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return function(*arguments, **options)

    return called


def row_of(value: float, resampled) -> dict:
    """A value and the middle 95 % of its resamplings, (B,), where all of them are finite."""
    low = high = float("nan")
    if np.isfinite(value) and np.isfinite(resampled).all():
        low, high = np.quantile(np.asarray(resampled, dtype=float), [0.025, 0.975])
    return dict(value=float(value), low=float(low), high=float(high))


def ratio(value: float, variance: float) -> float:
    """Their quotient; nan where the variance is 0."""
    return float(value / variance) if variance > 0 else float("nan")


def means_of(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean of values (N,) in each resampling, counts (B, N): (B,)."""
    return counts @ values / np.maximum(counts.sum(1), 1)


def places_of(*spaces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First rows of the different examples, (P,), and which of them each row is, (N,).

    Two rows are one example where they are one in all spaces, each (N, K).
    """
    rounded = []
    for means in spaces:
        centred = means - means.mean(0)
        step = SAME_PLACE * np.sqrt(np.square(centred).sum(1).mean())
        rounded.append(np.rint(centred / (step or 1.0)) + 0.0)
    joined, numbers = np.ascontiguousarray(np.concatenate(rounded, axis=1)), {}
    which = [numbers.setdefault(row.tobytes(), len(numbers)) for row in joined]
    return np.unique(which, return_index=True)[1], np.array(which)


def _directions(source: np.ndarray) -> np.ndarray:
    """Orthonormal coordinates of the data, (N, k), dead directions left out."""
    left, width, _ = np.linalg.svd(source - source.mean(0), full_matrices=False)
    return left[:, width > max(DEAD * width[0], 1e-300)]


def num_directions(source: np.ndarray) -> int:
    """How many directions of a space, (N, K), are alive."""
    return _directions(source).shape[1]


def left_out(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Each datum's place in the target by the affine map that is fitted on all others: (N, K).

    In closed form: the residual of the one map for all over 1 - leverage.  What the others say
    nothing of is taken for their mean.
    """
    basis, centred = _directions(source), target - target.mean(0)
    residual = centred - basis @ (basis.T @ centred)
    free = 1 - 1 / len(source) - np.square(basis).sum(1)  # 1 - leverage
    known = (free > 1e-8)[:, None]
    alone = centred * len(source) / max(len(source) - 1, 1)
    return target - np.where(known, residual / np.where(known, free[:, None], 1.0), alone)


def likeness(source: np.ndarray, target: np.ndarray, tested, counts: np.ndarray) -> dict:
    """LSD, R² and CKA of means (N, K) and (N, K'): metric -> value, low, high.

    tested: rows of different examples, on which R² and CKA are measured.  counts: resamplings of
    the data, (B, N).
    """
    lsd = np.nan if map_is_exact(source, target) else latent_space_distortion(source, target)
    found = dict(lsd=row_of(lsd, list(map(_lsd, *_moments(source, target, counts)))))
    source, target, counts = source[tested], target[tested], counts[:, tested]
    error = np.square(left_out(source, target) - target).sum(1)
    spread = np.square(target - target.mean(0)).sum(1)
    resampled = list(map(ratio, means_of(error, counts), means_of(spread, counts)))
    unseen = ratio(error.mean(), spread.mean())
    found["r_squared"] = row_of(1 - unseen, 1 - np.array(resampled))
    found["cka"] = row_of(linear_cka(source, target), _ckas(source, target, counts))
    return found


def maps_from(source: np.ndarray, target: np.ndarray) -> tuple[dict, dict]:
    """Maps fitted on anchors, (R, K) and (R, K'): metric -> map, metric -> why it has none."""
    maps, reasons = dict(affine=linear_map(source, target)), {}
    if source.shape == target.shape:
        maps["procrustes"] = orthogonal_map(source, target)
    for metric, name in RIVALS.items():
        try:
            maps[metric] = fit_map(name, source, target)
        except ValueError as error:
            reasons[metric] = str(error)
    return maps, reasons


def _moments(source: np.ndarray, target: np.ndarray, counts: np.ndarray) -> list:
    """Covariances in each resampling: source with source, source with target, target with target.

    counts: how often each datum was drawn, (B, N); each result is a list of B.
    """
    joined = np.concatenate([source, target], axis=1)
    joined = joined - joined.mean(0)
    split, found = source.shape[1], [[], [], []]
    for share in counts / counts.sum(1, keepdims=True):
        centre = share @ joined
        covariance = (share[:, None] * joined).T @ joined - np.outer(centre, centre)
        found[0].append(covariance[:split, :split])
        found[1].append(covariance[:split, split:])
        found[2].append(covariance[split:, split:])
    return found


def _lsd(own: np.ndarray, cross: np.ndarray, target: np.ndarray) -> float:
    """Eq. 2 from covariances: the trace of target's covariance given source."""
    explained = np.linalg.lstsq(own, cross, rcond=1e-12)[0]
    return max(float(np.trace(target) - (explained * cross).sum()), 0.0)


def linear_cka(source, target) -> float:
    """Linear centred kernel alignment of latents of the same data, (N, K) and (N, K').

    1 for spaces that differ by rotation, shift and scale, 0 on average for unrelated ones, so that
    it may be slightly negative; nan where a space has collapsed.  Examples that are there twice
    count once.

    ValueError: lengths that differ, NaN, or fewer than four different examples.
    """
    source, target = checks.pair(source, target)
    rows, _ = places_of(source, target)
    varying = min(total_variance(source), total_variance(target)) > 0
    if len(rows) < 4 and varying:
        found = f"linear CKA of {len(rows)} different examples"
        raise ValueError(f"{found} is not defined: pass at least 4")
    return _ckas(source[rows], target[rows], np.ones((1, len(rows))))[0] if varying else np.nan


def _ckas(source: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Linear CKA in each resampling, counts (B, P): (B,); nan where it is not defined.

    <K, L> of centred kernels is estimated without bias from pairs of different examples: the
    diagonal is taken out, whose share of the sum is what makes unrelated spaces seem alike.
    """
    count, shares = counts.shape[1], counts / np.maximum(counts.sum(1, keepdims=True), 1)
    if count < 4:
        return np.full(len(counts), np.nan)
    lengths = [np.square(a - a.mean(0)).sum(1) for a in (source, target)]
    own, cross, other = _moments(source, target, counts)

    def inner(moments: list, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """The estimate of <K, L> from the squared norm of a covariance and the two diagonals."""
        squares = shares**2
        whole = np.array([np.square(each).sum() for each in moments])
        diagonal = squares @ (one * two) * count / (count - 2)
        means = (squares @ one) * (squares @ two) * count**2 / ((count - 1) * (count - 2))
        return whole - diagonal + means

    norms = inner(own, lengths[0], lengths[0]) * inner(other, lengths[1], lengths[1])
    found = inner(cross, *lengths)
    defined = norms > 0
    return np.where(defined, found / np.sqrt(np.where(defined, norms, 1.0)), np.nan)


def nearest_neighbours(means: np.ndarray) -> np.ndarray | None:
    """The nearest neighbours of each datum, itself left out: (N, 10); None for too few data."""
    from sklearn.neighbors import NearestNeighbors

    if len(means) <= NEIGHBOURS:
        return None
    search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(means)
    return search.kneighbors(return_distance=False)


def neighbours_in_common(one: np.ndarray | None, other: np.ndarray | None, counts) -> dict:
    """The share of each datum's nearest neighbours that two spaces have in common, its mean."""
    if one is None or other is None:
        return row_of(np.nan, [np.nan])
    overlap = (one[:, :, None] == other[:, None, :]).any(2).mean(1)
    return row_of(overlap.mean(), means_of(overlap, counts))


def instability(spaces: dict) -> dict:
    """How much each datum's place varies over spaces, name -> (N, K), the first the reference.

    Standard deviation over that of all points, "as they are", where K is one, and "after affine
    maps" to the reference: name -> (N,).
    """
    reference, *others = spaces.values()
    rows, which = places_of(reference, *others)
    mapped = [reference, *(left_out(means[rows], reference[rows])[which] for means in others)]
    result = {}
    if len({means.shape[1] for means in spaces.values()}) == 1:
        result["as they are"] = _spread(np.stack(list(spaces.values())))
    result["after affine maps"] = _spread(np.stack(mapped))
    return result


def _spread(means: np.ndarray) -> np.ndarray:
    """Standard deviation over spaces (S, N, K) of each datum's place / that of all points: (N,)."""
    total = means.reshape(-1, means.shape[2]).var(0).sum()
    return np.sqrt(means.var(0).sum(1) / total) if total > 0 else np.zeros(means.shape[1])
