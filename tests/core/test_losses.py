"""The terms of the objectives against torch.distributions and plain loops."""

import pytest
import reference
import torch
from torch.distributions import Bernoulli, Normal
from toy import batch_loss

from rvae_lite import VAE, losses
from rvae_lite.objective import TERMS, Anchors


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("noise_variance", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(6, 5), (6, 2, 3, 3)])
def test_gaussian_nll_is_the_normal_log_density_summed_over_dimensions(shape, noise_variance):
    x, recon = draw(*shape), draw(*shape, seed=1)
    expected = -Normal(recon, noise_variance**0.5).log_prob(x).flatten(1).sum(1)
    assert_close(losses.gaussian_nll(x, recon, noise_variance=noise_variance), expected)


@pytest.mark.parametrize("shape", [(6, 5), (6, 1, 4, 4)])
def test_bernoulli_nll_is_the_bernoulli_log_mass_summed_over_pixels(shape):
    x, logits = (draw(*shape) > 0).double(), 3 * draw(*shape, seed=1)
    expected = -Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    assert_close(losses.bernoulli_nll(x, logits), expected)


def test_bernoulli_nll_is_the_cross_entropy_for_grey_pixels():
    x, logits = draw(6, 5).sigmoid(), draw(6, 5, seed=1)
    probability = logits.sigmoid()
    expected = -(x * probability.log() + (1 - x) * (1 - probability).log()).sum(1)
    assert_close(losses.bernoulli_nll(x, logits), expected)


def test_beta_one_is_the_negative_elbo():
    distortion, rate = draw(8), draw(8, seed=1)
    assert torch.equal(losses.beta_loss(distortion, rate, beta=1.0), distortion + rate)


def test_beta_weighs_the_rate_alone():
    distortion, rate = draw(8), draw(8, seed=1)
    assert_close(
        losses.beta_loss(distortion, rate, beta=2.5) - losses.beta_loss(distortion, rate, beta=1),
        1.5 * rate,
    )


@pytest.mark.parametrize("shape", [(4, 5), (4, 1, 3, 2)])
def test_rosetta_penalty_is_the_mean_over_points_of_squared_distances(shape):
    x, recon, z, mean = draw(*shape), draw(*shape, seed=1), draw(4, 3, seed=2), draw(4, 3, seed=3)
    anchor_x, anchor_z = losses.rosetta_penalty(recon, x, mean, z)
    loop_x = sum(((a - b) ** 2).sum() for a, b in zip(x, recon, strict=True)) / 4
    loop_z = sum(((a - b) ** 2).sum() for a, b in zip(z, mean, strict=True)) / 4
    assert_close(anchor_x, loop_x)
    assert_close(anchor_z, loop_z)


def test_rosetta_penalty_does_not_change_when_the_points_are_repeated():
    parts = [draw(4, 5), draw(4, 5, seed=1), draw(4, 3, seed=2), draw(4, 3, seed=3)]
    once = losses.rosetta_penalty(*parts)
    thrice = losses.rosetta_penalty(*(part.repeat(3, 1) for part in parts))
    assert_close(torch.stack(thrice), torch.stack(once))


@pytest.mark.parametrize(("x_weight", "z_weight"), [(1.0, 1.0), (0.5, 2.0), (0.0, 1.0), (1.0, 0.0)])
def test_the_objective_is_elbo_plus_rho_times_the_weighted_penalty(x_weight, z_weight):
    torch.manual_seed(0)
    model = VAE.mlp(5, 3, (8,)).double()
    weights = dict(model.named_parameters())
    x, noise, points = draw(6, 5), draw(6, 3, seed=1), (draw(4, 5, seed=2), draw(4, 3, seed=3))
    beta, rho = torch.tensor(2.5, dtype=torch.float64), torch.tensor(0.75, dtype=torch.float64)
    loss, named = batch_loss(model, x, noise, beta, rho, Anchors(*points, x_weight, z_weight))
    distortion, rate = (term.mean() for term in reference.terms(weights, x, noise))
    penalty = reference.rosetta_penalty(weights, *points, x_weight=x_weight, z_weight=z_weight)
    assert_close(loss, distortion + 2.5 * rate + 0.75 * penalty)
    named = dict(zip(TERMS, named, strict=True))
    assert_close(named["loss"], loss.detach())
    assert_close(named["distortion"], distortion.detach())
    assert_close(named["rate"], rate.detach())
    assert_close(x_weight * named["anchor_x"] + z_weight * named["anchor_z"], penalty.detach())


def test_the_objective_without_points_is_the_negative_elbo_at_beta_one():
    torch.manual_seed(0)
    model = VAE.mlp(5, 3, (8,)).double()
    x, noise, one = draw(6, 5), draw(6, 3, seed=1), torch.ones((), dtype=torch.float64)
    loss, named = batch_loss(model, x, noise, one, 0 * one, None)
    distortion, rate = reference.terms(dict(model.named_parameters()), x, noise)
    assert_close(loss, (distortion + rate).mean())
    assert named[3:].tolist() == [0, 0]
