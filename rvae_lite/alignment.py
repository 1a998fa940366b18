"""How alike two latent spaces are: distortion, retraining variability, linear maps, alignment on anchors.

Martinez & Pearson (2021), Eqs. 2 and 3, Appendices I and J.  Everything is accumulated in float64.
Letters: M replicas, N data points, K latent dimension.
"""

from typing import NamedTuple

import numpy as np


class LinearMap(NamedTuple):
    """target ~ source @ matrix.T + bias: matrix (K_target, K_source), bias (K_target,)."""

    matrix: np.ndarray
    bias: np.ndarray

    def __call__(self, source) -> np.ndarray:
        """Map points (N, K_source) to (N, K_target)."""
        return _points("source", source) @ self.matrix.T + self.bias


def _points(name: str, values) -> np.ndarray:
    array = np.asarray(
        values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64
    )
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"{name} must be (N, K) with at least one point, not {array.shape}: pass one replica's means"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds NaN or infinite values: check the training that it comes from"
        )
    return array


def _pair(source, target) -> tuple[np.ndarray, np.ndarray]:
    source, target = _points("source", source), _points("target", target)
    if len(source) != len(target):
        raise ValueError(
            f"source has {len(source)} points, target {len(target)}: encode the same data with both"
        )
    return source, target


def linear_map(source, target) -> LinearMap:
    """The affine map that minimises mean |A source + b - target|^2 (Eq. 2), by least squares.

    Args:
        source, target: latents of the same N data, (N, K_source) and (N, K_target), arrays or tensors.
    """
    source, target = _pair(source, target)
    centre_source, centre_target = source.mean(0), target.mean(0)
    solution = np.linalg.lstsq(source - centre_source, target - centre_target, rcond=None)[0]
    return LinearMap(solution.T, centre_target - solution.T @ centre_source)


def orthogonal_map(source, target) -> LinearMap:
    """The rotation or reflection and shift that bring source closest to target (orthogonal Procrustes)."""
    source, target = _pair(source, target)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"K must agree: source has {source.shape[1]}, target {target.shape[1]} dimensions"
        )
    centre_source, centre_target = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((target - centre_target).T @ (source - centre_source))
    matrix = u @ vt
    return LinearMap(matrix, centre_target - matrix @ centre_source)


def mean_squared_distance(source, target) -> float:
    """Unaligned mean |source - target|^2 over the N points, squared latent units."""
    source, target = _pair(source, target)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"K must agree: source has {source.shape[1]}, target {target.shape[1]} dimensions"
        )
    return float(np.square(source - target).sum(1).mean())


def total_variance(points) -> float:
    """Sum over dimensions of the variance of the points (N, K)."""
    return float(_points("points", points).var(0).sum())


def latent_space_distortion(source, target) -> float:
    """LSD, Eq. 2: min over A, b of mean |A source + b - target|^2, squared units of the target.

    It is (1 - R^2) times the target's total variance, so it is 0 for a collapsed target: report R^2 beside it.
    """
    return mean_squared_distance(linear_map(source, target)(source), target)


def r_squared(predicted, target, *, variance: float | None = None) -> float:
    """1 - mean |predicted - target|^2 / variance, where variance is by default the target's total variance.

    Returns nan where the variance is 0: a collapsed target explains nothing.
    """
    variance = total_variance(target) if variance is None else variance
    return 1 - mean_squared_distance(predicted, target) / variance if variance > 0 else float("nan")


class RetrainingVariability(NamedTuple):
    """Eq. 3, made safe.

    value: mean over data of the log pseudo-determinant of the covariance over replicas, nats.
    rank: how many leading eigenvalues enter it, min(K, M - 1).
    relative: value minus the same quantity of all points pooled; free of the latent space's scale.
    within_fraction: within-datum variance / total variance, between 0 (same space) and about 1.
    """

    value: float
    rank: int
    relative: float
    within_fraction: float


def log_volumes(means) -> np.ndarray:
    """log pseudo-det of each datum's covariance over replicas: means (M, N, K) give (N,).

    The covariance (ddof 1) of M runs has rank M - 1 at most, so the log determinant is taken over the
    min(K, M - 1) leading eigenvalues.  Runs that coincide to rounding give -inf, never rounding noise.
    """
    means, rounding = _replicas(means)
    centred = (means - means.mean(0)).transpose(1, 0, 2)  # (N, M, K)
    singular = np.linalg.svd(centred, compute_uv=False)[:, : _rank(means)]
    return _log_pseudo_det(np.square(singular) / (len(means) - 1), rounding)


def retraining_variability(means) -> RetrainingVariability:
    """RV, Eq. 3: how much the posterior mean of one datum moves from training to training; lower is better.

    Args:
        means: posterior means of N data under M replicas, (M, N, K), arrays or tensors.

    Raises:
        ValueError: fewer than two replicas, fewer than two data, NaN.

    Differs from the paper: a pseudo-determinant of stated rank where K >= M, since the plain log determinant is
    rounding noise there.  A collapsed model scores well on `value` alone; `relative` and `within_fraction` tell.
    """
    value = float(log_volumes(means).mean())
    means, rounding = _replicas(means)
    if means.shape[1] < 2:
        raise ValueError("means must hold at least 2 data points (M, N, K): encode more data")
    pooled = means.reshape(-1, means.shape[2])
    eigenvalues = np.sort(np.linalg.eigvalsh(np.atleast_2d(np.cov(pooled, rowvar=False))))[::-1][
        : _rank(means)
    ]
    relative = value - float(_log_pseudo_det(np.maximum(eigenvalues, 0)[None], rounding)[0])
    total = pooled.var(0, ddof=1).sum()
    within = means.var(0, ddof=1).sum(1).mean()
    return RetrainingVariability(
        value, _rank(means), relative, float(within / total) if total > 0 else float("nan")
    )


def _replicas(means) -> tuple[np.ndarray, float]:
    """The means as (M, N, K) float64, and the rounding error of the numbers as they came."""
    array = np.asarray(means.detach().cpu() if hasattr(means, "detach") else means)
    if array.ndim != 3 or array.shape[0] < 2 or not array.size:
        raise ValueError(
            f"means must be (M, N, K) with at least 2 replicas, not {array.shape}: train more replicas"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "means hold NaN or infinite values: check the training that they come from"
        )
    precision = np.finfo(array.dtype).eps if array.dtype.kind == "f" else np.finfo(float).eps
    return array.astype(np.float64), float(precision * np.abs(array).max())


def _rank(means: np.ndarray) -> int:
    return min(means.shape[2], means.shape[0] - 1)


def _log_pseudo_det(eigenvalues: np.ndarray, rounding: float) -> np.ndarray:
    # A variance below the square of the inputs' rounding error is zero.
    with np.errstate(divide="ignore"):
        return np.log(np.where(eigenvalues > rounding**2, eigenvalues, 0.0)).sum(-1)


def polar_spectrum(matrix) -> np.ndarray:
    """Eigenvalues of P in the polar decomposition A = U P, descending: (K,).  They are A's singular values."""
    return np.linalg.svd(_points("matrix", matrix), compute_uv=False)


def distance_to_identity(matrix) -> float:
    """|A / s_max - I| in the Frobenius norm (Figure 6, bottom row), s_max being A's largest singular value."""
    matrix = _points("matrix", matrix)
    if not matrix.any():
        return float("nan")
    return float(np.linalg.norm(matrix / polar_spectrum(matrix)[0] - np.eye(*matrix.shape)))


def label_transfer(source, source_labels, target, target_labels) -> float:
    """The share of target points whose nearest neighbour in the source space carries their label.

    Args:
        source, target: two laboratories' latents (not aligned), (N, K) and (N', K); the data may differ.
        source_labels, target_labels: their labels, (N,) and (N',).
    """
    from sklearn.neighbors import NearestNeighbors

    source, target = _points("source", source), _points("target", target)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"K must agree: source has {source.shape[1]}, target {target.shape[1]} dimensions"
        )
    for name, points, labels in (
        ("source", source, source_labels),
        ("target", target, target_labels),
    ):
        if np.shape(labels) != (len(points),):
            raise ValueError(
                f"{name}_labels must be one per point ({len(points)}), not of shape {np.shape(labels)}"
            )
    nearest = (
        NearestNeighbors(n_neighbors=1).fit(source).kneighbors(target, return_distance=False)[:, 0]
    )
    return float((np.asarray(source_labels)[nearest] == np.asarray(target_labels)).mean())
