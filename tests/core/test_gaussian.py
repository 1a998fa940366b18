"""Gaussian posteriors against torch.distributions."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from rvae_lite import gaussian

KINDS = ("full", "diagonal", "low_rank")
dimensions = pytest.mark.parametrize("latent_dim", [1, 2, 3, 4, 5, 6])
kinds = pytest.mark.parametrize("kind", KINDS)


def random_posterior(kind, latent_dim, *, batch=7, rank=2, seed=0):
    random = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(batch, *shape, generator=random, dtype=torch.float64)

    if kind == "full":
        return gaussian.FullPosterior(
            draw(latent_dim), draw(latent_dim) / 2, draw(latent_dim * (latent_dim - 1) // 2)
        )
    if kind == "diagonal":
        return gaussian.DiagonalPosterior(draw(latent_dim), draw(latent_dim) / 2)
    return gaussian.LowRankPosterior(draw(latent_dim), draw(latent_dim) / 2, draw(latent_dim, rank))


def noise_dim(posterior):
    return posterior.mean.shape[-1] + (
        posterior.factor.shape[-1] if hasattr(posterior, "factor") else 0
    )


def standard_normal(latent_dim):
    return MultivariateNormal(
        torch.zeros(latent_dim, dtype=torch.float64), torch.eye(latent_dim, dtype=torch.float64)
    )


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


@kinds
@dimensions
def test_kl_divergence_agrees_with_torch_distributions(kind, latent_dim):
    posterior = random_posterior(kind, latent_dim, seed=latent_dim)
    expected = kl_divergence(
        MultivariateNormal(posterior.mean, posterior.covariance()), standard_normal(latent_dim)
    )
    assert_close(posterior.kl_divergence(), expected)


@kinds
def test_kl_divergence_of_the_prior_is_zero(kind):
    zero = torch.zeros(3, 4, dtype=torch.float64)
    extra = dict(
        full=[torch.zeros(3, 6).double()], diagonal=[], low_rank=[torch.zeros(3, 4, 1).double()]
    )[kind]
    classes = dict(
        full=gaussian.FullPosterior,
        diagonal=gaussian.DiagonalPosterior,
        low_rank=gaussian.LowRankPosterior,
    )
    assert_close(
        classes[kind](zero, zero, *extra).kl_divergence(), torch.zeros(3, dtype=torch.float64)
    )


@kinds
@dimensions
def test_sample_is_affine_in_the_noise_and_has_the_covariance_claimed(kind, latent_dim):
    posterior = random_posterior(kind, latent_dim)
    size = noise_dim(posterior)
    zero = torch.zeros(7, size, dtype=torch.float64)
    assert_close(posterior.sample(zero), posterior.mean)
    columns = [
        posterior.sample(zero + one_hot) - posterior.mean
        for one_hot in torch.eye(size, dtype=torch.float64)
    ]
    factor = torch.stack(columns, dim=-1)  # (B, K, noise_dim)
    assert_close(factor @ factor.mT, posterior.covariance())
    noise = torch.randn(7, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert_close(
        posterior.sample(noise), posterior.mean + torch.einsum("bkn,bn->bk", factor, noise)
    )


@kinds
def test_monte_carlo_kl_meets_the_exact_one_within_four_standard_errors(kind):
    num_samples, posterior = 20_000, random_posterior(kind, 3, batch=1)
    random = torch.Generator().manual_seed(2)
    noise = torch.randn(num_samples, noise_dim(posterior), generator=random, dtype=torch.float64)
    repeated = type(posterior)(*(part.expand(num_samples, *part.shape[1:]) for part in posterior))
    z = repeated.sample(noise)  # (S, K)
    log_ratio = MultivariateNormal(posterior.mean, posterior.covariance()).log_prob(
        z
    ) - standard_normal(3).log_prob(z)
    standard_error = log_ratio.std() / num_samples**0.5
    assert abs(log_ratio.mean() - posterior.kl_divergence()) < 4 * standard_error
    assert standard_error < 0.03  # so that the line above can fail


@dimensions
def test_log_prob_agrees_with_torch_distributions(latent_dim):
    posterior = random_posterior("full", latent_dim)
    scale_tril = gaussian.build_scale_tril(posterior.log_diagonal, posterior.lower)
    z = torch.randn(7, latent_dim, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    expected = MultivariateNormal(posterior.mean, scale_tril=scale_tril).log_prob(z)
    assert_close(gaussian.log_prob(z, posterior.mean, scale_tril), expected)


@dimensions
def test_build_scale_tril_puts_exp_on_the_diagonal_and_fills_the_triangle_row_by_row(latent_dim):
    num_lower = latent_dim * (latent_dim - 1) // 2
    log_diagonal = torch.linspace(-1, 1, latent_dim, dtype=torch.float64).expand(2, latent_dim)
    lower = torch.arange(1.0, num_lower + 1, dtype=torch.float64).expand(2, num_lower)
    scale_tril = gaussian.build_scale_tril(log_diagonal, lower)
    assert_close(scale_tril.diagonal(dim1=-2, dim2=-1), log_diagonal.exp())
    below = [scale_tril[0, i, j].item() for i in range(latent_dim) for j in range(i)]
    assert below == lower[0].tolist()
    assert_close(scale_tril.triu(1), torch.zeros_like(scale_tril))


@dimensions
def test_full_covariance_is_the_cholesky_factor_times_its_transpose(latent_dim):
    posterior = random_posterior("full", latent_dim)
    scale_tril = gaussian.build_scale_tril(posterior.log_diagonal, posterior.lower)
    assert_close(torch.linalg.cholesky(posterior.covariance()), scale_tril)


def test_a_low_rank_posterior_without_a_factor_is_the_diagonal_one():
    diagonal = random_posterior("diagonal", 4)
    low_rank = gaussian.LowRankPosterior(*diagonal, torch.zeros(7, 4, 2, dtype=torch.float64))
    assert_close(low_rank.kl_divergence(), diagonal.kl_divergence())
    assert_close(low_rank.covariance(), diagonal.covariance())


def test_a_full_posterior_without_a_triangle_is_the_diagonal_one():
    diagonal = random_posterior("diagonal", 4)
    full = gaussian.FullPosterior(*diagonal, torch.zeros(7, 6, dtype=torch.float64))
    noise = torch.randn(7, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert_close(full.kl_divergence(), diagonal.kl_divergence())
    assert_close(full.sample(noise), diagonal.sample(noise))
