"""Gaussian posteriors q(z|x) with full, diagonal or low-rank covariance: sampling and KL divergence to N(0, I).

Martinez & Pearson (2021), Appendix C: the encoder gives the mean and the Cholesky factor of cov[z].
Letters: B batch, K latent dimension, r rank of the low-rank factor.  Everything is in nats.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


def strict_lower_indices(latent_dim: int, device=None) -> tuple[Tensor, Tensor]:
    """Rows and columns of the strict lower triangle of a (K, K) matrix, row by row, each (K(K-1)/2,)."""
    rows, columns = torch.tril_indices(latent_dim, latent_dim, offset=-1, device=device)
    return rows, columns


def build_scale_tril(log_diagonal: Tensor, lower: Tensor) -> Tensor:
    """Cholesky factor L from its log diagonal (B, K) and strict lower triangle (B, K(K-1)/2): (B, K, K)."""
    rows, columns = strict_lower_indices(log_diagonal.shape[-1], log_diagonal.device)
    scale_tril = torch.diag_embed(log_diagonal.exp())
    scale_tril[..., rows, columns] = lower
    return scale_tril


def log_prob(z: Tensor, mean: Tensor, scale_tril: Tensor) -> Tensor:
    """log N(z; mean, L L^T) in nats: z, mean (..., K) and scale_tril (..., K, K) give (...)."""
    centred = (z - mean).unsqueeze(-1)  # (..., K, 1)
    whitened = torch.linalg.solve_triangular(scale_tril, centred, upper=False).squeeze(-1)
    log_det = scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * whitened.square().sum(-1) - log_det - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class FullPosterior(NamedTuple):
    """q(z|x) = N(mean, L L^T), L lower triangular with positive diagonal.

    mean: (B, K); log_diagonal: log of L's diagonal, (B, K); lower: L's strict lower triangle, (B, K(K-1)/2).
    """

    mean: Tensor
    log_diagonal: Tensor
    lower: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + L noise, with noise ~ N(0, I) of shape (B, K): (B, K)."""
        rows, columns = strict_lower_indices(self.mean.shape[-1], self.mean.device)
        # A product with one-hot rows instead of a (B, K, K) matrix: the same sum, several times faster to train.
        to_rows = torch.nn.functional.one_hot(rows, self.mean.shape[-1]).to(self.mean.dtype)
        below = (self.lower * noise[..., columns]) @ to_rows
        return self.mean + self.log_diagonal.exp() * noise + below

    def kl_divergence(self) -> Tensor:
        """KL(q || N(0, I)) = 1/2 (|L|_F^2 + |mean|^2 - K) - sum log diag L, in nats: (B,)."""
        quadratic = (2 * self.log_diagonal).exp() + self.mean.square() - 1
        return (
            0.5 * quadratic.sum(-1) + 0.5 * self.lower.square().sum(-1) - self.log_diagonal.sum(-1)
        )

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
        return 0.5 * ((2 * self.log_scale).exp() + self.mean.square() - 1).sum(
            -1
        ) - self.log_scale.sum(-1)

    def covariance(self) -> Tensor:
        """diag(exp(2 log_scale)): (B, K, K)."""
        return torch.diag_embed((2 * self.log_scale).exp())


class LowRankPosterior(NamedTuple):
    """q(z|x) = N(mean, F F^T + diag(exp(2 log_scale))).

    mean, log_scale: (B, K); factor F: (B, K, r).  Rank one plus diagonal is what AVA (Goffinet et al. 2021) uses.
    """

    mean: Tensor
    log_scale: Tensor
    factor: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + exp(log_scale) * noise[:K] + F noise[K:], with noise ~ N(0, I) of shape (B, K + r): (B, K)."""
        own, shared = noise.split([self.mean.shape[-1], self.factor.shape[-1]], dim=-1)
        return self.mean + self.log_scale.exp() * own + (self.factor * shared.unsqueeze(-2)).sum(-1)

    def kl_divergence(self) -> Tensor:
        """KL(q || N(0, I)) in nats, its log determinant by the matrix determinant lemma: (B,)."""
        scaled = self.factor * (-self.log_scale).exp().unsqueeze(-1)  # (B, K, r)
        inner = (
            torch.eye(self.factor.shape[-1], dtype=scaled.dtype, device=scaled.device)
            + scaled.mT @ scaled
        )
        log_det = 2 * self.log_scale.sum(-1) + torch.linalg.slogdet(inner).logabsdet
        trace = (2 * self.log_scale).exp().sum(-1) + self.factor.square().sum((-2, -1))
        return 0.5 * (trace + self.mean.square().sum(-1) - self.mean.shape[-1] - log_det)

    def covariance(self) -> Tensor:
        """F F^T + diag(exp(2 log_scale)): (B, K, K)."""
        return self.factor @ self.factor.mT + torch.diag_embed((2 * self.log_scale).exp())


Posterior = FullPosterior | DiagonalPosterior | LowRankPosterior
