"""The linear VAE solved exactly: its optimum at every beta and its rate-distortion curve.

p(x|z) = N(D z + mu, s2 I), q(z|x) = N(E (x - mu), C), C diagonal (Bae et al. 2023, Section 2.2).
The optimum is reverse water-filling of a Gaussian source: every principal component loses the
variance beta s2, or all of its own if that is less.  The loss is distortion + beta * rate in nats,
summed over dimensions and averaged over data; the distortion has its 1/(2 s2) and constant.
Letters: D data dimension, K latent dimension, T values of beta.  In code D, E, C and s2 are
decoder, encoder, posterior_variance and noise_variance.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite.gates import Condition


class Optimum(NamedTuple):
    """The linear VAE that minimises distortion + beta * rate.

    encoder: E, (K, D); decoder: D, (D, K); posterior_variance: diagonal of C, (K,); rate,
    distortion: nats, ().  Latents are in order of the variance that they explain; any signed
    permutation of them is as good.
    """

    encoder: Tensor
    decoder: Tensor
    posterior_variance: Tensor
    rate: Tensor
    distortion: Tensor


class RateDistortion(NamedTuple):
    """The exact curve, each (T,): nats, latents in use, and the water level beta * s2."""

    rate: Tensor
    distortion: Tensor
    active_units: Tensor
    water_level: Tensor


def optimum(covariance, *, latent_dim: int, beta: float, noise_variance: float) -> Optimum:
    """The exact optimum at beta, collapsed latents included, as float64 tensors.

    With covariance U diag(lambda) U^T and g_i = sqrt(max(0, 1 - beta s2 / lambda_i)) it is
    D = U_K Lambda^(1/2) G, E = Lambda^(-1/2) G U_K^T, C = I - G^2.

    Args:
        covariance: of the data, (D, D), symmetric and positive semidefinite, array or tensor.
        latent_dim: K; latents beyond D collapse.
        beta: weight of the rate, positive.
        noise_variance: s2, variance of the likelihood, in squared units of the data.

    Raises:
        ValueError: a covariance that is not one, or a number that is not positive.

    Example:
        >>> optimum(torch.eye(2) * 4, latent_dim=1, beta=1.0, noise_variance=1.0).posterior_variance
        tensor([0.2500], dtype=torch.float64)
    """
    _check_positive("beta", beta)
    sizes = dict(latent_dim=latent_dim, noise_variance=noise_variance)
    curve = rate_distortion(covariance, betas=[beta], **sizes)
    values, vectors = _spectrum(covariance, latent_dim)
    gate = _gate(values, curve.water_level)  # (K,)
    scale = torch.where(values > 0, values, 1.0).sqrt()
    encoder, decoder = (gate / scale).unsqueeze(1) * vectors.T, vectors * (scale * gate)
    return Optimum(encoder, decoder, 1 - gate.square(), curve.rate[0], curve.distortion[0])


def rate_distortion(covariance, *, latent_dim: int, betas, noise_variance: float) -> RateDistortion:
    """Rate and distortion of the optimum at many betas: reverse water-filling with K components.

    rate = 1/2 sum_{i<=K} max(0, log(lambda_i / (beta s2))); while a latent is in use, the slope
    d distortion / d rate is -beta.  betas: (T,), positive; the rest as for `optimum`.
    """
    betas = torch.as_tensor(betas, dtype=torch.float64)
    if betas.ndim != 1 or not len(betas) or not bool((torch.isfinite(betas) & (betas > 0)).all()):
        raise ValueError(f"betas must be positive finite numbers, (T,), not {betas.tolist()}")
    _check_positive("noise_variance", noise_variance)
    values, _ = _spectrum(covariance, latent_dim)
    every, _ = _spectrum(covariance, len(covariance))
    level = betas * noise_variance  # (T,)
    ratio = (values / level.unsqueeze(1)).clamp(min=1.0)  # (T, K)
    lost = torch.minimum(values, level.unsqueeze(1)).sum(1) + every[latent_dim:].sum()
    distortion = _constant(len(covariance), noise_variance) + lost / (2 * noise_variance)
    return RateDistortion(0.5 * ratio.log().sum(1), distortion, (ratio > 1).sum(1), level)


def anchor_curve(
    covariance, x, *, latent_dim: int, betas, noise_variance: float, mean=None
) -> tuple[Tensor, Tensor]:
    """The exact latents and reconstructions of data points x at the optimum of every beta.

    z(beta) = Lambda^(-1/2) G(beta) U_K^T (x - mu) and mu + D z = mu + U_K G(beta)^2 U_K^T (x - mu),
    with G as in `optimum`: latent i is 0 from beta = lambda_i / s2 on.

    Args:
        covariance, latent_dim, noise_variance: as for `optimum`.
        x: data points, (R, D).
        betas: weights of the rate, (J,), positive.
        mean: mu, (D,); by default 0.

    Returns:
        z, (J, R, K), and reconstructions, (J, R, D), float64.
    """
    sizes = dict(latent_dim=latent_dim, noise_variance=noise_variance)
    level = rate_distortion(covariance, betas=betas, **sizes).water_level
    values, vectors = _spectrum(covariance, latent_dim)
    gate = _gate(values, level.unsqueeze(1)).unsqueeze(1)  # (J, 1, K)
    mean = torch.as_tensor(0.0 if mean is None else mean, dtype=torch.float64)
    components = (torch.as_tensor(x, dtype=torch.float64) - mean) @ vectors  # (R, K)
    z = gate * components / torch.where(values > 0, values, 1.0).sqrt()
    return z, mean + (gate.square() * components) @ vectors.T


def collapse_betas(covariance, *, latent_dim: int, noise_variance: float) -> Tensor:
    """The beta at which each latent of the optimum collapses, lambda_i / s2, descending: (K,)."""
    _check_positive("noise_variance", noise_variance)
    return _spectrum(covariance, latent_dim)[0] / noise_variance


def expected_rate(
    covariance, encoder: Tensor, posterior: Tensor, *, latent_mean: Tensor | None = None
) -> Tensor:
    """Mean over the data of KL(N(E (x - mu), C) || N(0, I)), exact and differentiable: nats, (...).

    Args:
        covariance: of the data, (D, D).
        encoder: any E, (..., K, D); leading axes, such as one of beta, are kept.
        posterior: C, its diagonal (..., K) or the whole matrix (..., K, K).
        latent_mean: mean over the data of the posterior means, (..., K); by default 0.
    """
    covariance, full = torch.as_tensor(covariance).to(encoder), _as_matrix(posterior, encoder)
    if posterior.ndim == encoder.ndim:
        log_det = torch.linalg.slogdet(full).logabsdet
    else:
        log_det = posterior.log().sum(-1)
    trace = _trace(full) + _trace(encoder @ covariance @ encoder.mT)
    shift = 0.0 if latent_mean is None else latent_mean.square().sum(-1)
    return 0.5 * (trace + shift - encoder.shape[-2] - log_det)


def expected_distortion(
    covariance,
    encoder: Tensor,
    decoder: Tensor,
    *,
    posterior: Tensor,
    noise_variance: float,
    residual_mean: Tensor | None = None,
) -> Tensor:
    """Mean over data and posterior of -log N(x; D z + mu, s2 I), exact and differentiable: (...).

    Args:
        covariance, encoder, posterior: as for `expected_rate`.
        decoder: any D, (..., D, K).
        noise_variance: s2.
        residual_mean: mean over the data of x - reconstruction, (..., D); by default 0.
    """
    _check_positive("noise_variance", noise_variance)
    covariance, data_dim = torch.as_tensor(covariance).to(encoder), decoder.shape[-2]
    missed = torch.eye(data_dim).to(encoder) - decoder @ encoder  # (..., D, D)
    spread = decoder @ _as_matrix(posterior, encoder) @ decoder.mT
    squared = _trace(missed @ covariance @ missed.mT) + _trace(spread)
    shift = 0.0 if residual_mean is None else residual_mean.square().sum(-1)
    return _constant(data_dim, noise_variance) + (squared + shift) / (2 * noise_variance)


def _gate(values: Tensor, level: Tensor) -> Tensor:
    active = values > level
    return torch.where(active, 1 - level / torch.where(active, values, 1.0), 0.0).sqrt()


def _spectrum(covariance, latent_dim: int) -> tuple[Tensor, Tensor]:
    """The K largest eigenvalues, descending, and eigenvectors (D, K); zeros where K > D."""
    matrix = torch.as_tensor(covariance, dtype=torch.float64).detach().cpu()
    remedy = "pass np.cov(x, rowvar=False)"
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ValueError(f"covariance must be (D, D), not {tuple(matrix.shape)}: {remedy}")
    whole = isinstance(latent_dim, (int, np.integer)) and not isinstance(latent_dim, bool)
    if not whole or latent_dim < 1:
        raise ValueError(f"latent_dim must be a positive integer, not {latent_dim!r}")
    size = float(matrix.abs().max())
    if not math.isfinite(size) or not torch.allclose(matrix, matrix.T, rtol=0, atol=1e-6 * size):
        raise ValueError(f"covariance must be finite and symmetric: {remedy}")
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    smallest = float(values[0])
    if smallest < -1e-6 * size:
        wrong = f"covariance has a negative eigenvalue, {smallest:.3g}"
        raise ValueError(f"{wrong}: it must be positive semidefinite")
    padding = (0, max(0, latent_dim - len(matrix)))
    values = torch.nn.functional.pad(values.flip(0).clamp(min=0.0), padding)
    vectors = torch.nn.functional.pad(vectors.flip(1), padding)
    return values[:latent_dim], vectors[:, :latent_dim]


def _check_positive(name: str, value) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, not {value!r}")


def _constant(data_dim: int, noise_variance: float) -> float:
    return 0.5 * data_dim * math.log(2 * math.pi * noise_variance)


def _as_matrix(posterior: Tensor, encoder: Tensor) -> Tensor:
    if posterior.ndim not in (encoder.ndim - 1, encoder.ndim):
        wanted = "variances (..., K) or a covariance (..., K, K) beside an encoder of shape"
        found = f"{tuple(encoder.shape)}, not {tuple(posterior.shape)}"
        raise ValueError(f"posterior must be {wanted} {found}")
    return posterior if posterior.ndim == encoder.ndim else posterior.diag_embed()


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)


class LogScaleResponse(nn.Module):
    """log sqrt(C_ii) = 1/2 min(0, a_i h + b_i): the exact response of a linear VAE's variance.

    Differs from the paper: there C is a product of sigmoids, which is optimal on no range of betas.
    """

    def __init__(self, latent_dim: int, condition: Condition):
        super().__init__()
        self.condition = condition
        self.weight = nn.Parameter(torch.empty(latent_dim))
        self.bias = nn.Parameter(torch.empty(latent_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The same variance e^-2 at every beta."""
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, -2.0)

    def forward(self, mean: Tensor) -> Tensor:
        return self._response(self.condition.read()).expand_as(mean)

    def _response(self, h: Tensor) -> Tensor:
        return 0.5 * (self.weight * h.unsqueeze(-1) + self.bias).clamp(max=0)

    def folded(self, h: Tensor) -> nn.Module:
        """The constant that the response is at h ()."""
        plain = LogScale(len(self.weight)).to(self.weight)
        plain.value = nn.Parameter(self._response(h))
        return plain


class LogScale(nn.Module):
    """A log standard deviation for each latent, (K,), that does not depend on the data."""

    def __init__(self, latent_dim: int):
        super().__init__()
        self.value = nn.Parameter(torch.empty(latent_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the standard deviations to 1, the prior's."""
        nn.init.zeros_(self.value)

    def forward(self, mean: Tensor) -> Tensor:
        return self.value.expand_as(mean)
