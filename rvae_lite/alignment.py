"""How alike two latent spaces are: distortion, retraining variability, maps between them.

Martinez & Pearson (2021), Eqs. 2 and 3, Appendices I and J.  Everything is accumulated in float64.
Letters: M replicas, N data points, K latent dimension.
"""

import warnings
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import as_labels
from rvae_lite.models import checks
from rvae_lite.models.checks import finite as finite


class LinearMap(NamedTuple):
    """target ~ source @ matrix.T + bias: matrix (K_target, K_source), bias (K_target,)."""

    matrix: np.ndarray
    bias: np.ndarray

    def __call__(self, source) -> np.ndarray:
        """Map points (N, K_source) to (N, K_target)."""
        return checks.latents("source", source) @ self.matrix.T + self.bias


def linear_map(source, target) -> LinearMap:
    """The affine map from latents (N, K_source) to (N, K_target) of Eq. 2, by least squares.

    It meets its own data better than others, and any N <= K_source + 1 of them exactly: measure it
    on data that it was not fitted on.
    """
    source, target = checks.pair(source, target)
    centre_source, centre_target = source.mean(0), target.mean(0)
    solution = np.linalg.lstsq(source - centre_source, target - centre_target, rcond=None)[0]
    return LinearMap(solution.T, centre_target - solution.T @ centre_source)


def orthogonal_map(source, target) -> LinearMap:
    """The rotation or reflection, and shift, that bring source closest to target (Procrustes)."""
    source, target = checks.pair(source, target, same_dim=True)
    centre_source, centre_target = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((target - centre_target).T @ (source - centre_source))
    matrix = u @ vt
    return LinearMap(matrix, centre_target - matrix @ centre_source)


def mean_squared_distance(source, target) -> float:
    """Unaligned mean |source - target|^2 over the N points, squared latent units."""
    source, target = checks.pair(source, target, same_dim=True)
    return float(np.square(source - target).sum(1).mean())


def total_variance(points) -> float:
    """Sum over dimensions of the variance of the points (N, K)."""
    return float(checks.latents("points", points).var(0).sum())


def map_is_exact(source, target) -> bool:
    """Whether an affine map meets these data whatever they are: too few of them are different."""
    source, target = checks.pair(source, target)
    rank = np.linalg.matrix_rank(source - source.mean(0))
    return _has_at_most(rank + 1, np.concatenate([source, target], axis=1))


def _has_at_most(count: int, points: np.ndarray) -> bool:
    """Whether no more than so many of the points, (N, K), are different."""
    seen = set()
    for row in points + 0.0:
        seen.add(row.tobytes())
        if len(seen) > count:
            return False
    return True


def latent_space_distortion(source, target) -> float:
    """LSD, Eq. 2: min over A, b of mean |A source + b - target|^2, squared units of the target.

    It is measured where the map is fitted.  A collapsed target has LSD 0: report R^2 = 1 - LSD /
    total variance of the target beside it.

    ValueError: so few different data, K + 1 at most, that LSD is 0 whatever they are.
    """
    source, target = checks.pair(source, target)
    if total_variance(target) > 0 and map_is_exact(source, target):
        found = f"{len(source)} points in {np.shape(source)[1]} dimensions are met exactly"
        remedy = "pass more different points, three per dimension or more"
        raise ValueError(f"{found} by an affine map, whatever they are: {remedy}")
    return mean_squared_distance(linear_map(source, target)(source), target)


def r_squared(predicted, target, *, variance: float | None = None) -> float:
    """1 - mean |predicted - target|^2 / variance, by default the target's; nan where that is 0.

    UserWarning: so few different data, K + 1 at most, that any map fitted on them gives 1.
    """
    target = checks.latents("target", target)
    variance = total_variance(target) if variance is None else variance
    if not variance > 0:
        return float("nan")
    if _has_at_most(target.shape[1] + 1, target):
        found = f"R² of {len(target)} points in {target.shape[1]} dimensions"
        told = f"{found} is 1 for any map that was fitted on them: pass more different points"
        warnings.warn(told, UserWarning, stacklevel=2)
    return 1 - mean_squared_distance(predicted, target) / variance


class RetrainingVariability(NamedTuple):
    """Eq. 3, made safe.

    value: mean over data of the log pseudo-determinant of the covariance over replicas, nats.
    rank: how many leading eigenvalues enter it, min(K, M - 1), dead directions not counted.
    relative: value minus that of all points pooled, which the scale of the space does not change.
    within_fraction: variance within a datum / total variance, from 0 (one space) to about 1.
    """

    value: float
    rank: int
    relative: float
    within_fraction: float


def log_volumes(means) -> np.ndarray:
    """log pseudo-det of each datum's covariance over replicas: means (M, N, K) give (N,).

    The covariance (ddof 1) of M runs has at most rank M - 1: only its min(K, M - 1) leading
    eigenvalues count, K without dead directions, in which no point varies.  Runs that coincide to
    rounding give -inf.
    """
    means, rounding = checks.replica_means(means)
    means = _alive(means, rounding)
    centred = (means - means.mean(0)).transpose(1, 0, 2)  # (N, M, K)
    rank = min(means.shape[2], len(means) - 1)
    singular = np.linalg.svd(centred, compute_uv=False)[:, :rank]
    return _log_pseudo_det(np.square(singular) / (len(means) - 1), rounding)


def _alive(means: np.ndarray, rounding: float) -> np.ndarray:
    """Means (M, N, K) in the directions in which their points vary at all; as they are if none."""
    pooled = means.reshape(-1, means.shape[2])
    eigenvalues, axes = np.linalg.eigh(np.atleast_2d(np.cov(pooled, rowvar=False)))
    alive = eigenvalues > max(rounding**2, 1e-14 * eigenvalues[-1])
    return means if alive.all() or not alive.any() else means @ axes[:, alive]


def retraining_variability(means) -> RetrainingVariability:
    """RV, Eq. 3: how far the posterior mean of a datum moves from training to training.

    Lower is better, but a collapsed model has a low `value` too: `relative` and `within_fraction`
    show the collapse.  means: posterior means of N data under M replicas, (M, N, K), two of each
    at least.

    Differs from the paper: where K >= M the determinant is 0 and its logarithm rounding noise, so
    we take a pseudo-determinant of stated rank, without directions in which no point varies.
    """
    value = float(log_volumes(means).mean())
    means, rounding = checks.replica_means(means)
    if means.shape[1] < 2:
        raise ValueError("means must hold at least 2 data points (M, N, K): encode more data")
    means = _alive(means, rounding)
    pooled, rank = means.reshape(-1, means.shape[2]), min(means.shape[2], len(means) - 1)
    covariance = np.atleast_2d(np.cov(pooled, rowvar=False))
    eigenvalues = np.sort(np.linalg.eigvalsh(covariance))[::-1][:rank]
    relative = value - float(_log_pseudo_det(np.maximum(eigenvalues, 0)[None], rounding)[0])
    total = pooled.var(0, ddof=1).sum()
    within = means.var(0, ddof=1).sum(1).mean()
    fraction = float(within / total) if total > 0 else float("nan")
    return RetrainingVariability(value, rank, relative, fraction)


def _log_pseudo_det(eigenvalues: np.ndarray, rounding: float) -> np.ndarray:
    # A variance below the square of the inputs' rounding error counts as zero.
    with np.errstate(divide="ignore"):
        return np.log(np.where(eigenvalues > rounding**2, eigenvalues, 0.0)).sum(-1)


def polar_spectrum(matrix) -> np.ndarray:
    """Eigenvalues of P in the polar decomposition A = U P, descending: A's singular values."""
    return np.linalg.svd(checks.latents("matrix", matrix), compute_uv=False)


def distance_to_identity(matrix) -> float:
    """Frobenius norm of A / s - I, s the largest singular value of A (Figure 6, bottom row)."""
    matrix = checks.latents("matrix", matrix)
    if not matrix.any():
        return float("nan")
    return float(np.linalg.norm(matrix / polar_spectrum(matrix)[0] - np.eye(*matrix.shape)))


def label_transfer(source, source_labels, target, target_labels) -> float:
    """The share of target points whose nearest neighbour in the source space has their label.

    Latents, (N, K) and (N', K), are unaligned and may be of different data; labels: (N,) and (N',).
    """
    from sklearn.neighbors import NearestNeighbors

    source, target = checks.latents("source", source), checks.latents("target", target)
    checks.check_same_dim(source, target)
    checks.check_labels("source", source, source_labels)
    checks.check_labels("target", target, target_labels)
    neighbours = NearestNeighbors(n_neighbors=1).fit(source)
    nearest = neighbours.kneighbors(target, return_distance=False)[:, 0]
    own, theirs = as_labels("source_labels", source_labels), as_labels("labels", target_labels)
    return float((own[nearest] == theirs).mean())
