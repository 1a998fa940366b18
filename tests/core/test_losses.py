"""The terms of the objectives against torch.distributions and plain loops."""

import numpy as np
import pytest
import reference
import torch
from torch.distributions import Bernoulli, Normal
from toy import batch_loss

from rvae_lite import VAE, RosettaPoints, losses
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


# ---------------------------------------------------------------- a loop of one's own


def double_model():
    torch.manual_seed(0)
    model = VAE.mlp(5, 3, (8,)).double()
    return model, lambda x: model.encode(x).mean


def some_points(**options):
    return RosettaPoints(draw(4, 5, seed=2), draw(4, 3, seed=3), **options)


def test_the_rosetta_term_is_rho_times_the_sum_over_the_points_one_by_one():
    model, mean = double_model()
    anchors = some_points().to(dtype=torch.float64)
    term = losses.rosetta_term(mean, model.decode, anchors, rho=2.75)
    weights = dict(model.named_parameters())
    pairs = (anchors.x, anchors.z)
    assert_close(term, 2.75 * reference.rosetta_penalty(weights, *pairs, x_weight=1, z_weight=1))
    weighted = losses.rosetta_term(mean, model.decode, anchors._replace(x_weight=0.5, z_weight=2.0))
    assert_close(weighted, reference.rosetta_penalty(weights, *pairs, x_weight=0.5, z_weight=2.0))


def test_the_rosetta_term_has_the_gradient_that_fit_follows():
    model, mean = double_model()
    x, noise, one = draw(6, 5), draw(6, 3, seed=1), torch.ones((), dtype=torch.float64)
    anchors = some_points(recon=draw(4, 5, seed=4)).to(dtype=torch.float64)
    distortion, rate = model.distortion_and_rate(x, noise)
    own = (distortion + rate).mean()
    own = own + losses.rosetta_term(mean, model.decode, anchors, rho=2.75)
    loss, _ = batch_loss(model, x, noise, one, 2.75 * one, anchors)
    assert_close(own, loss)
    weights = list(model.parameters())
    pairs = zip(torch.autograd.grad(own, weights), torch.autograd.grad(loss, weights), strict=True)
    for ours, theirs in pairs:
        assert_close(ours, theirs)


def test_the_rosetta_term_takes_points_that_nobody_moved():
    model, _ = double_model()
    model, points = model.float(), some_points()
    functions = (lambda x: model.encode(x).mean, model.decode)
    moved = losses.rosetta_term(*functions, points.to())
    assert torch.equal(losses.rosetta_term(*functions, points), moved)


def test_the_rosetta_term_draws_the_decoder_to_reconstructions_or_to_inputs():
    points = some_points(recon=draw(4, 5, seed=4))
    anchors = points.to()
    nearest = lambda z: anchors.target  # noqa: E731
    assert losses.rosetta_term(lambda x: anchors.z, nearest, anchors) == 0
    inputs = losses.rosetta_term(lambda x: anchors.z, nearest, anchors._replace(target=None))
    assert np.isclose(inputs, np.square(points.x - points.recon).sum(1).mean())


@pytest.mark.parametrize(
    ("encode", "decode", "message"),
    [
        (
            lambda x: (x[:, :3], x[:, :3]),
            lambda z: torch.zeros(4, 5),
            r"encode must return a tensor of shape \(4, 3\) for these points, not a tuple: return the",
        ),
        (
            lambda x: x[:, :2],
            lambda z: torch.zeros(4, 5),
            r"encode must .* \(4, 3\) .*, not \(4, 2\): give the model the points' K",
        ),
        (
            lambda x: x[:, :3],
            lambda z: torch.zeros(4, 1, 5),
            r"decode must .* \(4, 5\) .*, not \(4, 1, 5\): reshape it to that of an input",
        ),
    ],
)
def test_answers_that_do_not_fit_the_points_are_refused(encode, decode, message):
    with pytest.raises(ValueError, match=message):
        losses.rosetta_term(encode, decode, some_points())


def test_what_is_no_points_is_refused():
    with pytest.raises(ValueError, match="points must be RosettaPoints, .* not a str: load them"):
        losses.rosetta_term(None, None, "alice.npz")
    curves = RosettaPoints(draw(6, 5), draw(2, 6, 3), betas=[0.1, 10.0])
    with pytest.raises(ValueError, match=r"curves over beta: .*points.at_beta\(1.0\)"):
        losses.rosetta_term(None, None, curves)
