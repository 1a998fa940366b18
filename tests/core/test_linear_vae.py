"""The linear VAE: closed form against optimisation, Monte Carlo, identities of water-filling."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from rvae_lite import linear_vae

GAP_VALUES = torch.tensor([8.0, 1.0, 0.1], dtype=torch.float64)
GAP_LOG_BETAS = torch.linspace(math.log(0.01), math.log(10), 61, dtype=torch.float64)


def random_case(seed):
    """A covariance, K, beta and s2; beta s2 falls anywhere among the eigenvalues."""
    random = np.random.default_rng(seed)
    data_dim = int(random.integers(1, 6))
    latent_dim = int(random.integers(1, data_dim + 2))
    values = random.permutation(np.geomspace(0.1, 10, data_dim)) * random.uniform(
        0.7, 1.4, data_dim
    )
    vectors = np.linalg.qr(random.standard_normal((data_dim, data_dim)))[0]
    noise_variance = 10 ** random.uniform(-1, 0.3)
    options = dict(
        latent_dim=latent_dim, beta=10 ** random.uniform(-1.5, 1.2), noise_variance=noise_variance
    )
    return torch.from_numpy((vectors * values) @ vectors.T), options


def loss(covariance, encoder, decoder, log_variance, *, beta, noise_variance, **_):
    rate = linear_vae.expected_rate(covariance, encoder, log_variance.exp())
    distortion = linear_vae.expected_distortion(
        covariance, encoder, decoder, posterior=log_variance.exp(), noise_variance=noise_variance
    )
    return distortion + beta * rate


def value_and_gradient(flat, covariance, options):
    shapes = (
        (options["latent_dim"], len(covariance)),
        (len(covariance), options["latent_dim"]),
        (options["latent_dim"],),
    )
    flat = torch.tensor(flat, dtype=torch.float64, requires_grad=True)
    parts = flat.split([math.prod(shape) for shape in shapes])
    value = loss(
        covariance,
        *(part.view(shape) for part, shape in zip(parts, shapes, strict=True)),
        **options,
    )
    return value.item(), torch.autograd.grad(value, flat)[0].numpy()


def flattened(best):
    return torch.cat(
        [best.encoder.flatten(), best.decoder.flatten(), best.posterior_variance.log()]
    ).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_a_numerical_optimiser_finds_the_loss_of_the_closed_form_and_nothing_better(seed):
    covariance, options = random_case(seed)
    best = linear_vae.optimum(covariance, **options)
    exact = float(best.distortion + options["beta"] * best.rate)
    assert abs(value_and_gradient(flattened(best), covariance, options)[0] - exact) < 1e-12 * max(
        1, abs(exact)
    )
    assert np.abs(value_and_gradient(flattened(best), covariance, options)[1]).max() < 1e-11
    start = np.random.default_rng(seed).standard_normal(len(flattened(best)))
    tight = dict(maxiter=20_000, maxfun=20_000, maxcor=30, ftol=0.0, gtol=1e-9)
    found = minimize(
        value_and_gradient, start, (covariance, options), jac=True, method="L-BFGS-B", options=tight
    )
    assert abs(found.fun - exact) < 1e-9


def test_the_hundred_cases_cross_the_thresholds():
    active = [
        linear_vae.optimum(c, **o).posterior_variance < 1 for c, o in map(random_case, range(100))
    ]
    assert sum(bool(a.all()) for a in active) > 10
    assert sum(not bool(a.any()) for a in active) > 5
    assert sum(bool(a.any()) and not bool(a.all()) for a in active) > 20
    assert sum(len(c) < o["latent_dim"] for c, o in map(random_case, range(100))) > 5


def test_rate_and_distortion_of_the_optimum_are_those_of_its_weights():
    for seed in range(20):
        covariance, options = random_case(seed)
        best, noise_variance = linear_vae.optimum(covariance, **options), options["noise_variance"]
        rate = linear_vae.expected_rate(covariance, best.encoder, best.posterior_variance)
        distortion = linear_vae.expected_distortion(
            covariance,
            best.encoder,
            best.decoder,
            posterior=best.posterior_variance,
            noise_variance=noise_variance,
        )
        torch.testing.assert_close(rate, best.rate, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(distortion, best.distortion, rtol=1e-12, atol=1e-12)


def test_a_rotation_of_the_latents_is_not_optimal_with_a_diagonal_posterior():
    covariance = torch.diag(GAP_VALUES)
    best = linear_vae.optimum(covariance, latent_dim=2, beta=0.5, noise_variance=1.0)
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / math.sqrt(2)
    swap = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    exact = float(best.distortion + 0.5 * best.rate)

    def turned(matrix):
        variances = (matrix @ best.posterior_variance.diag() @ matrix.T).diagonal()
        weights = matrix @ best.encoder, best.decoder @ matrix.T, variances.log()
        return float(loss(covariance, *weights, beta=0.5, noise_variance=1.0))

    assert turned(swap) == pytest.approx(exact, abs=1e-12)
    assert turned(turn) > exact + 0.1


def test_the_slope_of_distortion_against_rate_is_minus_beta():
    betas, step = np.geomspace(0.01, 30, 200), 1e-5
    options = dict(latent_dim=3, noise_variance=0.3)
    low, high = (
        linear_vae.rate_distortion(GAP_VALUES.diag(), betas=betas * f, **options)
        for f in (1 - step, 1 + step)
    )
    used = (low.active_units > 0) & (low.active_units == high.active_units)
    slope = ((high.distortion - low.distortion) / (high.rate - low.rate))[used]
    assert used.sum() > 150
    torch.testing.assert_close(slope, -torch.from_numpy(betas)[used], rtol=1e-6, atol=0)


def test_rate_falls_and_distortion_rises_with_beta_until_everything_collapses():
    covariance, _ = random_case(3)
    options = dict(latent_dim=2, noise_variance=0.5)
    ends = linear_vae.collapse_betas(covariance, **options)
    betas = np.geomspace(1e-3, 2 * float(ends[0]), 300)
    curve = linear_vae.rate_distortion(covariance, betas=betas, **options)
    assert (curve.rate.diff() <= 0).all() and (curve.distortion.diff() >= 0).all()
    assert curve.rate[-1] == 0 and curve.active_units[-1] == 0
    torch.testing.assert_close(curve.active_units, (ends > torch.from_numpy(betas)[:, None]).sum(1))
    torch.testing.assert_close(curve.water_level, torch.from_numpy(betas) * 0.5)
    nothing_kept = 0.5 * len(covariance) * math.log(2 * math.pi * 0.5) + covariance.trace() / (
        2 * 0.5
    )
    torch.testing.assert_close(curve.distortion[-1], nothing_kept)


def test_at_beta_one_and_full_dimension_the_elbo_of_loud_data_is_their_entropy():
    # Where every eigenvalue exceeds s2 the model can be the data's Gaussian: the bound is tight.
    covariance = torch.tensor([[3.0, 0.5], [0.5, 2.0]], dtype=torch.float64)
    best = linear_vae.optimum(covariance, latent_dim=2, beta=1.0, noise_variance=0.1)
    entropy = 0.5 * torch.logdet(2 * math.pi * math.e * covariance)
    torch.testing.assert_close(best.distortion + best.rate, entropy)


@pytest.mark.parametrize("full", [True, False])
def test_the_exact_terms_meet_monte_carlo_within_its_standard_error(full):
    random, num_samples = torch.Generator().manual_seed(0), 200_000

    def draw(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    root, encoder, decoder, factor = draw(4, 4), draw(2, 4) / 2, draw(4, 2), draw(2, 2)
    mean, shift, bias = draw(4), draw(2), draw(4)
    posterior = factor @ factor.T + torch.eye(2) / 4
    posterior = posterior if full else posterior.diagonal()
    matrix = posterior if full else posterior.diag()
    x = mean + draw(num_samples, 4) @ root.T
    means = x @ encoder.T + shift
    z = means + draw(num_samples, 2) @ torch.linalg.cholesky(matrix).T
    distortion = (
        -torch.distributions.Normal(z @ decoder.T + bias, math.sqrt(0.7)).log_prob(x).sum(1)
    )
    log_ratio = torch.distributions.MultivariateNormal(means, matrix).log_prob(z)
    log_ratio = log_ratio - torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    latent_mean = encoder @ mean + shift
    exact_rate = linear_vae.expected_rate(
        root @ root.T, encoder, posterior, latent_mean=latent_mean
    )
    residual_mean = mean - decoder @ latent_mean - bias
    exact_distortion = linear_vae.expected_distortion(
        root @ root.T,
        encoder,
        decoder,
        posterior=posterior,
        noise_variance=0.7,
        residual_mean=residual_mean,
    )
    for sampled, exact in ((distortion, exact_distortion), (log_ratio, exact_rate)):
        standard_error = sampled.std() / math.sqrt(num_samples)
        assert abs(sampled.mean() - exact) < 4 * standard_error
        assert standard_error < 0.02 * abs(exact)  # so that the line above can fail


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(covariance=np.ones(3)), r"covariance must be \(D, D\), not \(3,\): pass np.cov"),
        (dict(covariance=np.triu(np.ones((3, 3)))), "covariance must be finite and symmetric"),
        (dict(covariance=np.full((2, 2), np.nan)), "covariance must be finite and symmetric"),
        (
            dict(covariance=np.diag([1.0, -1.0])),
            "covariance has a negative eigenvalue, -1: it must be positive",
        ),
        (dict(latent_dim=0), "latent_dim must be a positive integer, not 0"),
        (dict(latent_dim=1.5), "latent_dim must be a positive integer, not 1.5"),
        (dict(beta=0.0), "beta must be a positive number, not 0.0"),
        (dict(noise_variance=-1.0), "noise_variance must be a positive number, not -1.0"),
    ],
)
def test_what_has_no_optimum_is_refused(change, message):
    options = dict(covariance=np.eye(3), latent_dim=2, beta=1.0, noise_variance=1.0) | change
    with pytest.raises(ValueError, match=message):
        linear_vae.optimum(options.pop("covariance"), **options)


def test_bad_betas_and_posteriors_are_refused():
    with pytest.raises(
        ValueError, match=r"betas must be positive finite numbers, \(T,\), not \[1.0, -1.0\]"
    ):
        linear_vae.rate_distortion(np.eye(2), latent_dim=1, betas=[1.0, -1.0], noise_variance=1.0)
    with pytest.raises(
        ValueError, match=r"posterior must be variances .* of shape \(2, 3\), not \(1, 2, 2\)"
    ):
        linear_vae.expected_rate(np.eye(3), torch.zeros(2, 3), torch.ones(1, 2, 2))
