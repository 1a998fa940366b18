"""Gaussian posteriors q(z|x) with full, diagonal or low-rank covariance: samples and rates.

The rate is the KL divergence to N(0, I), in nats (Martinez & Pearson 2021, Appendix C).
Letters: B batch, K latent dimension, r rank of the low-rank factor.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


def build_scale_tril(log_diagonal: Tensor, lower: Tensor) -> Tensor:
    """Cholesky factor (B, K, K) from its log diagonal (B, K) and strict lower triangle, by rows."""
    rows, columns = _strict_lower(log_diagonal)
    scale_tril = torch.diag_embed(log_diagonal.exp())
    scale_tril[..., rows, columns] = lower
    return scale_tril


def _strict_lower(like: Tensor) -> Tensor:
    """Rows and columns of the strict lower triangle of (K, K), row by row: (2, K(K-1)/2)."""
    latent_dim = like.shape[-1]
    return torch.tril_indices(latent_dim, latent_dim, offset=-1, device=like.device)


def log_prob(z: Tensor, mean: Tensor, scale_tril: Tensor) -> Tensor:
    """log N(z; mean, L L^T) in nats: z, mean (..., K) and scale_tril (..., K, K) give (...)."""
    centred = (z - mean).unsqueeze(-1)  # (..., K, 1)
    whitened = torch.linalg.solve_triangular(scale_tril, centred, upper=False).squeeze(-1)
    log_det = scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * whitened.square().sum(-1) - log_det - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class FullPosterior(NamedTuple):
    """q(z|x) = N(mean, L L^T), L lower triangular with positive diagonal.

    mean, log_diagonal (of L): (B, K); lower, the rest of L by rows: (B, K(K-1)/2).
    """

    mean: Tensor
    log_diagonal: Tensor
    lower: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + L noise, with noise ~ N(0, I) of shape (B, K): (B, K)."""
        rows, columns = _strict_lower(self.mean)
        # One-hot rows sum each row of L noise without building L, which is several times slower.
        to_rows = torch.nn.functional.one_hot(rows, self.mean.shape[-1]).to(self.mean.dtype)
        below = (self.lower * noise[..., columns]) @ to_rows
        return self.mean + self.log_diagonal.exp() * noise + below

    def kl_divergence(self) -> Tensor:
        """KL(q || N(0, I)) = 1/2 (|L|_F^2 + |mean|^2 - K) - sum log diag L, in nats: (B,)."""
        quadratic = (2 * self.log_diagonal).exp() + self.mean.square() - 1
        squares = 0.5 * quadratic.sum(-1) + 0.5 * self.lower.square().sum(-1)
        return squares - self.log_diagonal.sum(-1)

    def covariance(self) -> Tensor:
        """L L^T: (B, K, K)."""
        scale_tril = build_scale_tril(self.log_diagonal, self.lower)
        return scale_tril @ scale_tril.mT


class DiagonalPosterior(NamedTuple):
    """q(z|x) = N(mean, diag(exp(2 log_scale))); mean and log_scale: (B, K)."""

    mean: Tensor
    log_scale: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + exp(log_scale) * noise, with noise ~ N(0, I) of shape (B, K): (B, K)."""
        return self.mean + self.log_scale.exp() * noise

    def kl_divergence(self) -> Tensor:
        """KL(q || N(0, I)) in nats: (B,)."""
        quadratic = (2 * self.log_scale).exp() + self.mean.square() - 1
        return 0.5 * quadratic.sum(-1) - self.log_scale.sum(-1)

    def covariance(self) -> Tensor:
        """diag(exp(2 log_scale)): (B, K, K)."""
        return torch.diag_embed((2 * self.log_scale).exp())


class LowRankPosterior(NamedTuple):
    """q(z|x) = N(mean, F F^T + diag(exp(2 log_scale))).

    mean, log_scale: (B, K); factor F: (B, K, r).  AVA (Goffinet et al. 2021) uses r = 1.
    """

    mean: Tensor
    log_scale: Tensor
    factor: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + exp(log_scale) * noise[:K] + F noise[K:], with noise ~ N(0, I), (B, K + r)."""
        own, shared = noise.split([self.mean.shape[-1], self.factor.shape[-1]], dim=-1)
        along_factor = (self.factor * shared.unsqueeze(-2)).sum(-1)  # (B, K)
        return self.mean + self.log_scale.exp() * own + along_factor

    def kl_divergence(self) -> Tensor:
        """KL(q || N(0, I)) in nats, its log determinant by the matrix determinant lemma: (B,)."""
        scaled = self.factor * (-self.log_scale).exp().unsqueeze(-1)  # (B, K, r)
        identity = torch.eye(self.factor.shape[-1], dtype=scaled.dtype, device=scaled.device)
        inner = identity + scaled.mT @ scaled
        log_det = 2 * self.log_scale.sum(-1) + torch.linalg.slogdet(inner).logabsdet
        trace = (2 * self.log_scale).exp().sum(-1) + self.factor.square().sum((-2, -1))
        return 0.5 * (trace + self.mean.square().sum(-1) - self.mean.shape[-1] - log_det)

    def covariance(self) -> Tensor:
        """F F^T + diag(exp(2 log_scale)): (B, K, K)."""
        return self.factor @ self.factor.mT + torch.diag_embed((2 * self.log_scale).exp())


Posterior = FullPosterior | DiagonalPosterior | LowRankPosterior
