"""The terms of the two papers' objectives: distortion, beta-weighted rate and the Rosetta penalty.

Martinez & Pearson (2021), Eq. 1.  Nats, summed over dimensions; the caller averages over data.
Letters: B batch, K latent dimension, R Rosetta points.
"""

import math
from collections.abc import Callable

from torch import Tensor, nn


def gaussian_nll(x: Tensor, recon: Tensor, *, noise_variance: float) -> Tensor:
    """-log N(x; recon, noise_variance I), constant included: x, recon (B, *data) give (B,)."""
    # One pass over memory, where `square` takes three.
    squared = nn.functional.mse_loss(recon, x, reduction="none").flatten(1)
    constant = 0.5 * squared.shape[1] * math.log(2 * math.pi * noise_variance)
    return squared.sum(1) / (2 * noise_variance) + constant


def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """-log Bernoulli(x; sigmoid(logits)): x in [0, 1] and logits, (B, *data), give (B,)."""
    terms = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return terms.flatten(1).sum(1)


def beta_loss(distortion: Tensor, rate: Tensor, *, beta) -> Tensor:
    """distortion + beta * rate (Higgins et al. 2017); the negative ELBO at beta = 1.

    The distortion is *summed* over the D dimensions.  If it were their mean, the same beta would
    weigh D times as much.
    """
    return distortion + beta * rate


def total_correlation_loss(
    distortion: Tensor, rate: Tensor, correlation: Tensor, *, beta
) -> Tensor:
    """distortion + rate + (beta - 1) * total correlation (Chen et al. 2018, Eq. 4).

    alpha and gamma of the paper are 1.  All is in nats, the distortion as for `beta_loss`.

    Differs from the paper: the paper estimates all three parts of the rate.  Here the rate is
    exact and only the total correlation is estimated, which has less variance.
    """
    return distortion + rate + (beta - 1) * correlation


def rosetta_penalty(
    recon: Tensor, x: Tensor, mean: Tensor, z: Tensor, *, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The two halves of the Rosetta penalty, Eq. 1, each a mean over the R points.

    Args:
        recon, x: decoded anchors decode(z_r), and their targets: x_r, or what the template decodes,
            (R, *data).
        mean, z: posterior means mean(x_r) of the anchors, and their targets z_r, (R, K).
        weight: weight of every point, (R,) or (); by default 1.

    Returns mean_r |x_r - decode(z_r)|^2 in squared units of the data, and
    mean_r |z_r - mean(x_r)|^2 in squared latent units.

    Differs from the paper: the paper weighs by R over the batch size.  A mean over R lets rho mean
    the same at every R and batch size.
    """
    recon_error = nn.functional.mse_loss(recon, x, reduction="none").flatten(1).sum(1)
    latent_error = (z - mean).square().sum(1)
    if weight is not None:
        recon_error, latent_error = weight * recon_error, weight * latent_error
    return recon_error.mean(), latent_error.mean()


def rosetta_term(encode: Callable, decode: Callable, points, *, rho=1.0) -> Tensor:
    """rho times the Rosetta penalty, Eq. 1, of any model: what the loss of any loop gains.

    rho is read against a loss in nats, summed over the D dimensions and averaged over the batch.
    Where that loss is divided by something, as by D in a mean over numbers, divide rho by it too.

    Args:
        encode: the posterior mean: inputs (R, *data) to (R, K).
        decode: the likelihood's mean: latents (R, K) to (R, *data), in the units of the data.
        points: `RosettaPoints.to(device)`, made once before the training; for a model in float32
            on the CPU the `RosettaPoints` will do.
        rho: weight of the term.

    Returns rho mean_r (|target_r - decode(z_r)|^2 + |z_r - encode(x_r)|^2), ().

    Raises:
        ValueError: the points are none, or curves over beta, or encode or decode return no tensor,
            or one of another shape than the points'.

    Example:
        >>> points = RosettaPoints.load("book:digits").to("cuda")
        >>> loss = (distortion + rate).mean() + rosetta_term(encode, decode, points, rho=2.75)
    """
    if not hasattr(points, "z"):
        expected = "RosettaPoints, or what their .to(device) returns"
        raise ValueError(f"points must be {expected}, not a {type(points).__name__}: load them")
    points = points.to() if hasattr(points, "header") else points
    target = points.x if points.target is None else points.target
    recon, mean = decode(points.z), encode(points.x)
    _check_answer("decode", recon, target, "reshape it to that of an input")
    _check_answer("encode", mean, points.z, "give the model the points' K")
    penalty = rosetta_penalty(recon, target, mean, points.z, weight=points.weight)
    return rho * (points.x_weight * penalty[0] + points.z_weight * penalty[1])


def _check_answer(name: str, found, like: Tensor, remedy: str) -> None:
    """Raises ValueError where a model's answer is no tensor of the shape of its target."""
    expected = f"{name} must return a tensor of shape {tuple(like.shape)} for these points"
    if not isinstance(found, Tensor):
        raise ValueError(f"{expected}, not a {type(found).__name__}: return the mean alone")
    if found.shape != like.shape:
        raise ValueError(f"{expected}, not {tuple(found.shape)}: {remedy}")
