"""How good a model is: active units, rate-distortion curves, the Frechet distance.

Bae et al. (2023), Section 5, Appendix B.  Rates and distortions are in nats, summed over
dimensions, averaged over data, all in float64.
Letters: M replicas, N images or data points, K latent dimension, F features, T points of a curve.
"""

import numpy as np

from rvae_lite.disentanglement import mutual_information_gap as mutual_information_gap
from rvae_lite.models import checks


def active_units(means, *, threshold: float = 0.01, axes: bool = False):
    """How many latent directions the posterior mean uses: eigenvalues of cov(mean) >= `threshold`.

    Args:
        means: posterior means of N data, (N, K) for a number, or (M, N, K) for one per replica.
        threshold: smallest variance that counts, squared latent units, where the prior's is 1.
        axes: count latent axes instead of directions, for models with a diagonal posterior.

    Differs from the paper: the paper counts axes.  With a full posterior covariance the axes are
    arbitrary, and all of them look used even if few directions are.
    """
    means = checks.finite("means", means)
    if means.ndim == 3 and len(means):
        each = [active_units(replica, threshold=threshold, axes=axes) for replica in means]
        return np.array(each)
    checks.check_active(means)
    covariance = np.atleast_2d(np.cov(means, rowvar=False))
    variances = covariance.diagonal() if axes else np.linalg.eigvalsh(covariance)
    return int((variances >= threshold).sum())


def rate_distortion_curve(fit, x, betas=None, *, seed: int = 0):
    """The rate and distortion of data at many betas, one posterior sample per example.

    Args:
        fit: a multi-rate Fit, or a plain one whose replicas were trained at the betas wanted.
        x: data, (N, *data).
        betas: where a multi-rate Fit is read off, (T,), positive; a plain one has none.
        seed: of the posterior samples; the same noise at every beta.

    Returns a pandas DataFrame, a row per replica and beta, with columns replica, beta, rate,
    distortion, loss (distortion + beta * rate), in nats, and squared_error.
    """
    import pandas as pd

    trained = np.asarray(fit.beta, dtype=np.float64)
    multirate = bool(np.isnan(trained).any())
    checks.check_read_off(betas, multirate=multirate)
    if not multirate:
        return _rows(pd, fit.evaluate(x, seed=seed), trained)
    pieces = []
    for beta in np.asarray(betas, dtype=np.float64).tolist():
        evaluation = fit.evaluate(x, beta=beta, seed=seed)
        pieces.append(_rows(pd, evaluation, np.full(len(fit), beta)))
    return pd.concat(pieces).sort_values(["replica", "beta"], ignore_index=True)


def _rows(pd, evaluation, beta: np.ndarray):
    table = pd.DataFrame(dict(replica=np.arange(len(beta)), beta=beta))
    table["rate"], table["distortion"] = evaluation.rate, evaluation.distortion
    table["loss"], table["squared_error"] = evaluation.loss(beta), evaluation.squared_error
    return table


def area_between(curve_a, curve_b) -> float:
    """The area between two rate-distortion curves, negative where a is better: nats squared.

    It is the integral of distortion_a - distortion_b over the rates that both curves reach.  Linear
    interpolation overestimates a convex curve between its points: give both about as many points.

    curve_a, curve_b: one curve of `rate_distortion_curve`, any table with columns rate and
    distortion, or a pair (rates, distortions) of arrays (T,), in any order.  ValueError: several
    points at one beta, fewer than two rates, or no common range of rates.
    """
    rates, difference = _difference(curve_a, curve_b)
    return float(((difference[1:] + difference[:-1]) / 2 * np.diff(rates)).sum())


def dominance(curve_a, curve_b) -> float:
    """The share of the common range of rates where curve a has the lower distortion.

    Arguments, interpolation and errors as for `area_between`.
    """
    rates, difference = _difference(curve_a, curve_b)
    ends = np.stack([difference[:-1], difference[1:]])
    depth, height = (-ends).max(0).clip(min=0.0), ends.max(0).clip(min=0.0)
    # A segment that crosses zero lies below zero for depth / (depth + height) of its length.
    below = depth / np.where(depth > 0, depth + height, 1.0)
    return float((below * np.diff(rates)).sum() / (rates[-1] - rates[0]))


def _difference(curve_a, curve_b) -> tuple[np.ndarray, np.ndarray]:
    """All rates of both curves within their common range, and distortion_a - distortion_b there."""
    rate_a, distortion_a = _curve("curve_a", curve_a)
    rate_b, distortion_b = _curve("curve_b", curve_b)
    both = np.concatenate([rate_a, rate_b])
    rates = np.unique(both.clip(*checks.common_range(rate_a, rate_b)))
    return rates, np.interp(rates, rate_a, distortion_a) - np.interp(rates, rate_b, distortion_b)


def _curve(name: str, curve) -> tuple[np.ndarray, np.ndarray]:
    """Increasing rates and their distortions, averaged where a rate occurs twice."""
    rate, distortion = checks.rates_and_distortions(name, curve)
    rates, place, count = np.unique(rate, return_inverse=True, return_counts=True)
    return rates, np.bincount(place, weights=distortion) / count


def frechet_distance(a, b) -> float:
    """Frechet distance of two Gaussians fitted to features (N, F) and (N', F), at least 2 each.

    |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), in squared units of the features.  Compare
    features of one encoder and sets of about one size only: few examples bias it upwards.
    """
    a, b = checks.two_sets(a, b)
    covariance_a = np.atleast_2d(np.cov(a, rowvar=False))
    covariance_b = np.atleast_2d(np.cov(b, rowvar=False))
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T
    # S_a S_b has the eigenvalues of the symmetric S_a^(1/2) S_b S_a^(1/2).
    overlap = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(min=0.0)).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    distance = shift + covariance_a.trace() + covariance_b.trace() - 2 * overlap
    return float(max(distance, 0.0))
