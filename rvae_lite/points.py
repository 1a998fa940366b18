"""Select Rosetta points: which data stand for a latent space.

Martinez & Pearson (2021), Section 3 and Appendix E: cluster the posterior means, take for each centre the nearest
datum x_r and its own mean z_r.  Letters: N data points, K latent dimension, R Rosetta points.
"""

import platform

import numpy as np
import torch

from rvae_lite.rosetta import RosettaPoints


def select_points(
    x, means, num_points: int, *, method: str = "kmeans", seed: int = 0, ids=None, header=None
) -> RosettaPoints:
    """Distil a latent space: cluster the posterior means, take the datum nearest to each centre and its own mean.

    Args:
        x: data, (N, *data).
        means: their posterior means in one model, (N, K).
        num_points: R, at most N.
        method: "kmeans" (the paper's), "gaussian_mixture", "agglomerative" or "random".
        seed: of the clustering.
        ids: names of the data, (N,), kept with the points.
        header: entries to add to the file's header: preprocessing, licence, source, ...

    Returns:
        RosettaPoints, ordered as the clusters; no datum twice.

    Raises:
        ValueError: lengths that do not fit, more points than data, an unknown method.

    Differs from the paper: where two centres share their nearest datum, the later one takes its next nearest.

    Example:
        >>> points = select_points(torch.randn(100, 5), torch.randn(100, 2), 8)
        >>> points.z.shape
        (8, 2)
    """
    x = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    means = np.asarray(
        means.detach().cpu() if isinstance(means, torch.Tensor) else means, dtype=np.float64
    )
    if means.ndim != 2 or len(means) != len(x):
        raise ValueError(
            f"means must be (N, K) = ({len(x)}, K), one row per datum, not {means.shape}: pass one replica's"
        )
    if not np.isfinite(means).all():
        raise ValueError(
            "means hold NaN or infinite values: train again with a lower learning rate"
        )
    if (
        isinstance(num_points, bool)
        or not isinstance(num_points, (int, np.integer))
        or num_points < 1
    ):
        raise ValueError(f"num_points must be a positive integer, not {num_points!r}")
    if num_points > len(x):
        raise ValueError(f"num_points = {num_points} is more than the {len(x)} data: select fewer")
    if method not in SELECTION_METHODS:
        raise ValueError(f"method must be one of {sorted(SELECTION_METHODS)}, not {method!r}")
    chosen = _nearest_distinct(means, SELECTION_METHODS[method](means, num_points, seed))
    header = dict(header or {}) | dict(
        selection_method=method,
        selection_seed=int(seed),
        versions=dict(
            torch=torch.__version__, numpy=np.__version__, python=platform.python_version()
        ),
    )
    names = np.arange(len(x)) if ids is None else np.asarray(ids)
    return RosettaPoints(x[chosen], means[chosen], ids=names[chosen], header=header)


def _nearest_distinct(means: np.ndarray, centres: np.ndarray) -> np.ndarray:
    chosen: list[int] = []
    for centre in centres:
        distance = np.square(means - centre).sum(1)
        distance[chosen] = np.inf
        chosen.append(int(distance.argmin()))
    return np.array(chosen)


def _kmeans(means, num_points, seed):
    from sklearn.cluster import KMeans

    return KMeans(num_points, n_init=10, random_state=seed).fit(means).cluster_centers_


def _gaussian_mixture(means, num_points, seed):
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(num_points, random_state=seed, reg_covar=1e-6).fit(means).means_


def _agglomerative(means, num_points, seed):
    from sklearn.cluster import AgglomerativeClustering

    labels = (
        AgglomerativeClustering(num_points).fit_predict(means)
        if num_points > 1
        else np.zeros(len(means), int)
    )
    return np.stack([means[labels == cluster].mean(0) for cluster in range(num_points)])


def _random(means, num_points, seed):
    return means[np.random.default_rng(seed).choice(len(means), num_points, replace=False)]


SELECTION_METHODS = dict(
    kmeans=_kmeans, gaussian_mixture=_gaussian_mixture, agglomerative=_agglomerative, random=_random
)
