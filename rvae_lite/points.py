"""Distil a latent space: which data become Rosetta points, plain ones or curves over beta.

Martinez & Pearson (2021), Section 3 and Appendix E.  Curves are not in the paper.
Letters: N data points, K latent dimension, R Rosetta points, J betas at which a curve is known.
"""

import platform
from collections.abc import Sequence

import numpy as np
import torch

from rvae_lite.arrays import as_array, named
from rvae_lite.coverage import covering, d_optimal, farthest_first
from rvae_lite.fitted import Fit
from rvae_lite.models.checks import check_known, check_selection
from rvae_lite.multirate import is_multirate
from rvae_lite.rosetta import RosettaPoints

NUM_BETAS = 10  # of a curve
SELECTED_AT = 3  # betas whose means are clustered


def select_points(
    x,
    means,
    num_points: int,
    *,
    decode=None,
    method: str = "kmeans",
    seed: int = 0,
    ids=None,
    header=None,
) -> RosettaPoints:
    """Cluster the posterior means; take the datum x_r nearest to each centre and its own mean z_r.

    Args:
        x: data, (N, *data).
        means: their posterior means in one model, (N, K).
        num_points: R, at most N.
        decode: the model's decoder, latents (R, K) to (R, *data) or (1, R, *data), such as
            `fit.decode`: decode(z_r) travels with the points, and `fit` draws decoders to it.
        method: "kmeans" (the paper's), "gaussian_mixture", "agglomerative" or "random"; or, with a
            statement attached, "farthest_first" (of the inputs, from the one nearest to their mean:
            the covering radius is at most twice the best of any R points) or "d_optimal" (of the
            means: what an affine map errs by at the points grows least elsewhere); see `coverage`.
        seed: of the clustering or the drawing.
        ids: names of the data, (N,), kept with the points.
        header: entries to add to the file's header: preprocessing, licence, source, ...

    The header's entry `covering` tells how far all of x lie from the chosen ones.

    ValueError: lengths that do not fit, more points than data, an unknown method.

    Differs from the paper: no datum is chosen twice.  Where two centres share their nearest datum,
    the later one takes its next nearest.  And the points may hold the template's reconstructions,
    which have no noise of their own, where the paper's hold the inputs alone.

    Example:
        >>> points = select_points(torch.randn(100, 5), torch.randn(100, 2), 8)
        >>> points.z.shape
        (8, 2)
    """
    header = named(x) | (header or {})
    x, means = as_array("x", x), as_array("means", means).astype(np.float64)
    check_selection(x, means, num_points, seed=seed)
    check_known("method", method, sorted(SELECTION_METHODS))
    chosen = SELECTION_METHODS[method](x, means, num_points, seed % 2**32)
    versions = dict(torch=torch.__version__, numpy=np.__version__, python=platform.python_version())
    made = dict(selection_method=method, selection_seed=int(seed), versions=versions)
    names = np.arange(len(x)) if ids is None else np.asarray(ids)
    recon = None if decode is None else _decoded(decode, means[chosen], x.shape[1:])
    kept = dict(recon=recon, ids=names[chosen], header=header | made)
    points = RosettaPoints(x[chosen], means[chosen], **kept)
    points.header["covering"] = covering(x, points.x)
    return points


def _decoded(decode, z: np.ndarray, data_shape: tuple) -> np.ndarray:
    """decode(z_r), (R, *data), of the latents as points keep them."""
    recon = as_array("decode(z)", decode(torch.from_numpy(z.astype(np.float32))))
    if recon.shape not in ((len(z), *data_shape), (1, len(z), *data_shape)):
        expected = f"{(len(z), *data_shape)}, not {recon.shape}"
        raise ValueError(f"decode must give {expected}: pass the decoder of one model")
    return recon.reshape(len(z), *data_shape)


def curve_points(
    fit: Fit,
    x,
    num_points: int,
    *,
    betas: Sequence[float] | None = None,
    selected_at: Sequence[float] | None = None,
    replica: int = 0,
    method: str = "kmeans",
    seed: int = 0,
    ids=None,
    header=None,
) -> RosettaPoints:
    """Distil a multi-rate model: R data, the curves of their means, their reconstructions.

    One clustering chooses the data for the whole range, see `select_points`: of the means at
    several betas side by side, each divided by its total standard deviation.

    Args:
        fit, replica: a multi-rate Fit, and which of its replicas.
        x, num_points, method, seed, ids, header: as in `select_points`.
        betas: where the curves are read off, (J,), ascending; by default ten, log-spaced.
        selected_at: the betas whose means are clustered; by default lowest, middle and highest.

    ValueError: a plain Fit, and what `select_points` refuses.

    Example:
        >>> from rvae_lite import VAE, fit
        >>> from rvae_lite.multirate import LogUniform, make_multirate
        >>> x, law = torch.randn(100, 5), LogUniform(0.01, 10.0)
        >>> space = fit(make_multirate(VAE.mlp(5, 2)), x, epochs=1, batch_size=50, beta=law)
        >>> curve_points(space, x, 8).z.shape
        (10, 8, 2)
    """
    if not is_multirate(fit.model):
        remedy = "train make_multirate(model), or use select_points"
        raise ValueError(f"curves need a multi-rate Fit: {remedy}")
    fit, ends = fit.select([replica]), fit.model.beta_range
    betas = np.geomspace(*ends, NUM_BETAS) if betas is None else np.asarray(betas, np.float64)
    if selected_at is None:
        selected_at = np.geomspace(*ends, SELECTED_AT)
    # Choose the data for the whole range.
    means = [fit.encode(x, beta=float(beta))[0] for beta in np.atleast_1d(selected_at)]
    scales = [each.var(0, correction=0).sum().sqrt().clamp(min=1e-12) for each in means]
    features = torch.cat([a / scale for a, scale in zip(means, scales, strict=True)], dim=1)
    selected = select_points(x, features, num_points, method=method, seed=seed, header=header)
    chosen = selected.ids.astype(int)
    # Read their curves off.
    z = torch.cat([fit.encode(selected.x, beta=float(beta)) for beta in betas])  # (J, R, K)
    pairs = zip(z, betas, strict=True)
    recon = torch.cat([fit.decode(at, beta=float(beta)) for at, beta in pairs])  # (J, R, *data)
    names = chosen if ids is None else np.asarray(ids)[chosen]
    curves = dict(betas=betas, recon=recon, ids=names, header=selected.header)
    return RosettaPoints(selected.x, z, **curves)


def nearest_to(find_centres):
    """A way of choosing: the datum nearest to each centre that is found among the means."""

    def choose(x, means, num_points, seed):
        return _nearest_distinct(means, find_centres(means, num_points, seed))

    return choose


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

    if num_points == 1:
        return means.mean(0, keepdims=True)
    labels = AgglomerativeClustering(num_points).fit_predict(means)
    return np.stack([means[labels == cluster].mean(0) for cluster in range(num_points)])


def _random(means, num_points, seed):
    return means[np.random.default_rng(seed).choice(len(means), num_points, replace=False)]


def _farthest_first(x, means, num_points, seed):
    return farthest_first(x, num_points)


def _d_optimal(x, means, num_points, seed):
    return d_optimal(means, num_points)


CENTRES = dict(kmeans=_kmeans, gaussian_mixture=_gaussian_mixture)
CENTRES |= dict(agglomerative=_agglomerative, random=_random)
# name -> which rows (R,) of data x, (N, *data), and their means, (N, K); R and a seed follow
SELECTION_METHODS = {name: nearest_to(find_centres) for name, find_centres in CENTRES.items()}
SELECTION_METHODS |= dict(farthest_first=_farthest_first, d_optimal=_d_optimal)
