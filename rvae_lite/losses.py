"""The terms of the two papers' objectives: distortion, rate, beta-weighted ELBO and the Rosetta penalty.

Martinez & Pearson (2021), Eq. 1; Higgins et al. (2017) for beta.  Nats, summed over dimensions; the caller averages
over data.  Letters: B batch, D data dimension, K latent dimension, R Rosetta points.
"""

import math

import torch
from torch import Tensor


def gaussian_nll(x: Tensor, recon: Tensor, *, noise_variance: float) -> Tensor:
    """-log N(x; recon, noise_variance I) with its constant, in nats: x, recon (B, *data) give (B,)."""
    squared = (x - recon).square().flatten(1)
    constant = 0.5 * squared.shape[1] * math.log(2 * math.pi * noise_variance)
    return squared.sum(1) / (2 * noise_variance) + constant


def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """-log Bernoulli(x; sigmoid(logits)), *summed* over pixels, in nats: x in [0, 1], both (B, *data), give (B,)."""
    terms = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return terms.flatten(1).sum(1)


def negative_elbo(distortion: Tensor, rate: Tensor) -> Tensor:
    """distortion + rate: the negative evidence lower bound, in nats."""
    return distortion + rate


def beta_loss(distortion: Tensor, rate: Tensor, *, beta) -> Tensor:
    """distortion + beta * rate (Higgins et al. 2017).

    The distortion is the full negative log-likelihood in nats *summed* over dimensions: with a loss averaged over D
    dimensions the same beta would weigh D times as much.
    """
    return distortion + beta * rate


def total_correlation_loss(
    distortion: Tensor, rate: Tensor, correlation: Tensor, *, beta
) -> Tensor:
    """distortion + rate + (beta - 1) * total correlation: the negative ELBO but for the weight of one part of the rate.

    Chen et al. (2018), Eq. 4 with alpha = gamma = 1; all in nats, the distortion as for `beta_loss`.

    Differs from the paper: it estimates all three parts of the rate; here the rate is exact and the total correlation
    alone, which is beta - 1 times in it, is estimated (`disentanglement.total_correlation`), with less variance.
    """
    return distortion + rate + (beta - 1) * correlation


def rosetta_penalty(
    recon: Tensor, x: Tensor, mean: Tensor, z: Tensor, *, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The two halves of the Rosetta penalty, Eq. 1 of Martinez & Pearson (2021), each a mean over the R points.

    Args:
        recon: decoded anchors decode(z_r), (R, *data); no sampling.
        x: what they shall be, the anchors' inputs x_r, (R, *data).
        mean: posterior means of the anchors' inputs, (R, K).
        z: the anchors' latents z_r, (R, K).
        weight: of every point, (R,) or (); by default 1.

    Returns:
        mean_r |x_r - decode(z_r)|^2 and mean_r |z_r - mean(x_r)|^2, squared units of the data and of the latent space.

    Differs from the paper: a mean over R, so that rho means the same whatever R and the batch size; the paper weighs
    by the ratio of the two.
    """
    recon_error, latent_error = (x - recon).flatten(1).square().sum(1), (z - mean).square().sum(1)
    if weight is not None:
        recon_error, latent_error = weight * recon_error, weight * latent_error
    return recon_error.mean(), latent_error.mean()
