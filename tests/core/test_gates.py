"""Gates: safe at the ends, standardised, open at first, and folded into every kind of layer."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from rvae_lite import linear_vae
from rvae_lite.gates import (
    GATES,
    ClosingGate,
    Condition,
    Gate,
    Gated,
    LatentGate,
    sqrt_gate,
    standardise,
)
from rvae_lite.linear_vae import LogScaleResponse

RANGE = (0.01, 10.0)
LAYERS = dict(
    linear=(nn.Linear(4, 6), (5, 4)),
    linear_of_patches=(nn.Linear(4, 6), (5, 3, 4)),
    without_bias=(nn.Linear(4, 6, bias=False), (5, 4)),
    conv1d=(nn.Conv1d(4, 6, 3), (5, 4, 7)),
    conv2d=(nn.Conv2d(4, 6, 3, bias=False, groups=2), (5, 4, 7, 7)),
    conv3d=(nn.Conv3d(4, 6, 2), (5, 4, 3, 3, 3)),
    transposed=(nn.ConvTranspose2d(4, 6, 3), (5, 4, 7, 7)),
    transposed_in_groups=(nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False), (5, 4, 7, 7)),
    batch_norm=(nn.BatchNorm2d(6), (5, 6, 7, 7)),
    batch_norm_of_vectors=(nn.BatchNorm1d(6), (5, 6)),
    batch_norm_without_weights=(nn.BatchNorm1d(6, affine=False), (5, 6)),
)


def scattered_gate(kind, num_channels, seed=0):
    """A gate whose channels all respond differently, some closed over part of the range."""
    gate = Gate(kind, num_channels)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random))
    return gate


def gated_layer(name, kind, dtype=torch.float64):
    layer, shape = LAYERS[name]
    layer = copy.deepcopy(layer)
    x = torch.randn(64, *shape[1:], generator=torch.Generator().manual_seed(1))
    layer(x)  # a batch norm gets running statistics other than 0 and 1
    return Gated(layer, Condition(), gate=scattered_gate(kind, 6)).to(dtype).eval(), x[
        : shape[0]
    ].to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", GATES)
def test_gates_and_their_gradients_are_finite_for_every_input(kind, dtype):
    near = torch.logspace(-12, 4, 200, dtype=dtype)
    x = torch.cat([-near, torch.zeros(1, dtype=dtype), near]).requires_grad_()
    values = GATES[kind][0](x)
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert torch.isfinite(values).all() and torch.isfinite(gradient).all()


def test_the_sqrt_gate_is_sqrt_of_1_minus_exp_and_closed_above_0():
    x = np.linspace(-30, -1e-3, 500)
    np.testing.assert_allclose(sqrt_gate(torch.from_numpy(x)), np.sqrt(1 - np.exp(x)), rtol=1e-12)
    assert (sqrt_gate(torch.tensor([0.0, 1e-9, 1.0, 89.0, 1e4])) == 0).all()


def test_the_gradient_of_the_sqrt_gate_is_its_derivative():
    x = torch.linspace(-5, -0.1, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sqrt_gate, x)


def test_the_standardised_log_beta_has_mean_0_and_variance_1_over_the_range():
    middles = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    h = standardise((math.log(0.01) + math.log(1000) * middles).exp(), RANGE)
    torch.testing.assert_close(h.mean(), h.new_tensor(0.0), atol=1e-9, rtol=0)
    torch.testing.assert_close(h.var(), h.new_tensor(1.0), atol=1e-4, rtol=0)
    ends = standardise(torch.tensor([0.01, 10.0], dtype=torch.float64), RANGE)
    torch.testing.assert_close(ends, ends.new_tensor([-math.sqrt(3), math.sqrt(3)]))


@pytest.mark.parametrize(("kind", "scale"), [("sigmoid", 0.8808), ("sqrt", 0.9299), ("film", 1.0)])
def test_a_gate_starts_open_and_the_same_at_every_beta(kind, scale):
    h = torch.linspace(-1.8, 1.8, 7)
    torch.testing.assert_close(Gate(kind, 3).scale(h), torch.full((7, 3), scale), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_folded_layer_equals_the_gated_one_at_its_beta(name, kind):
    gated, x = gated_layer(name, kind)
    for h in torch.linspace(-1.7, 1.7, 20, dtype=torch.float64):
        gated.condition.h = h
        folded = gated.folded(h)
        assert type(folded) is type(gated.layer)
        torch.testing.assert_close(folded(x), gated(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("name", LAYERS)
def test_every_example_is_gated_at_its_own_beta(name, kind):
    gated, x = gated_layer(name, kind)
    own = torch.linspace(-1.7, 1.7, len(x), dtype=torch.float64)
    gated.condition.h = own
    together = gated(x)
    for i, h in enumerate(own):
        torch.testing.assert_close(
            together[i : i + 1], gated.folded(h)(x[i : i + 1]), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("bias", [True, False])
def test_a_gate_on_the_inputs_folds_into_the_columns(kind, bias):
    gated = Gated(
        nn.Linear(4, 6, bias=bias), Condition(), input_gate=scattered_gate(kind, 4)
    ).double()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for h in torch.linspace(-1.7, 1.7, 20, dtype=torch.float64):
        gated.condition.h = h
        torch.testing.assert_close(gated.folded(h)(x), gated(x), rtol=0, atol=1e-12)


def test_a_tilted_sigmoid_starts_open_at_low_beta_and_the_others_do_not_tilt():
    ends = torch.tensor([-(3**0.5), 3**0.5])
    low, high = Gate("sigmoid", 4, tilt=2.0).scale(ends)
    assert (low > 0.99).all() and (high < 0.2).all() and (high > 0.1).all()
    for kind in ("sqrt", "film"):
        tilted, flat = Gate(kind, 4, tilt=2.0).scale(ends), Gate(kind, 4).scale(ends)
        assert torch.equal(tilted, flat)


def test_a_gate_multiplies_weights_and_bias_of_each_unit():
    gated, x = gated_layer("linear", "sigmoid")
    gated.condition.h = torch.tensor(0.3, dtype=torch.float64)
    scale = torch.sigmoid(gated.gate.weight * 0.3 + gated.gate.bias)
    torch.testing.assert_close(gated(x), scale * (x @ gated.layer.weight.T + gated.layer.bias))


def test_the_log_scale_response_is_half_of_min_0_and_an_affine_function():
    response = LogScaleResponse(3, Condition()).double()
    with torch.no_grad():
        response.weight.copy_(torch.tensor([1.0, -1.0, 0.0]))
        response.bias.copy_(torch.tensor([0.5, -0.5, 2.0]))
    h, mean = torch.tensor([-1.0, 2.0], dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64)
    response.condition.h = h
    expected = torch.tensor([[-0.25, 0.0, 0.0], [0.0, -1.25, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(response(mean), expected)
    torch.testing.assert_close(response.folded(h[1])(mean), expected[1].expand(2, 3))


def test_a_gated_layer_without_a_beta_says_what_to_call():
    gated, x = gated_layer("linear", "sqrt")
    with pytest.raises(
        ValueError, match=r"needs a beta: call gated\(x, beta\), or take gated.at_beta\(beta\)"
    ):
        gated(x)


# Latents that close


def test_a_closing_gate_can_be_the_response_of_the_exact_linear_optimum():
    values = torch.tensor([40.0, 3.0, 0.2, 0.03], dtype=torch.float64)
    gate, middle = ClosingGate(4, RANGE).double(), math.log(RANGE[0] * RANGE[1]) / 2
    noise_variance = 0.5
    with torch.no_grad():  # x = log(beta s2 / lambda)
        gate.weight.fill_(gate.slope)
        gate.bias.copy_(middle + (noise_variance / values).log())
        for beta in torch.logspace(-2, 1, 25, dtype=torch.float64):
            h = standardise(beta, RANGE)
            best = linear_vae.optimum(
                values.diag(), latent_dim=4, beta=float(beta), noise_variance=noise_variance
            )
            variance = gate.log_variance(h).exp()
            torch.testing.assert_close(variance, best.posterior_variance)
            decoder = gate.scale(h) * values.sqrt()
            torch.testing.assert_close(decoder, best.decoder.abs().sum(0), atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("beta_range", [RANGE, (0.1, 1.0), (0.001, 100.0)])
def test_a_closing_gate_starts_in_proportion_to_beta_with_half_the_latents_closed_at_10(beta_range):
    gate = ClosingGate(6, beta_range)
    with torch.no_grad():
        low, ten = gate.log_variance(standardise(torch.tensor([0.01, 10.0]), beta_range))
        a, b = gate.log_variance(standardise(torch.tensor([0.02, 0.04]), beta_range))
    torch.testing.assert_close(b - a, torch.full((6,), math.log(2)))
    assert (low < -4).all() and ((ten == 0) == (torch.arange(6) > 2)).all()
    assert (ClosingGate(1, RANGE).log_variance(torch.tensor(3**0.5)) < 0).all()


def test_a_latent_gate_is_open_where_all_of_a_channels_latents_are():
    closing = ClosingGate(3, RANGE)
    latents = torch.tensor([[0, 1, 2, 2], [3, 3, 3, 0]])
    gate = LatentGate(closing, latents, torch.tensor([False, True, False, False]))
    h = torch.tensor([-1.0, 1.2])
    own = torch.cat([closing.scale(h), torch.ones(2, 1)], dim=1)
    torch.testing.assert_close(gate.scale(h), own[:, latents[0]] * own[:, latents[1]])
    expected = torch.zeros(2, 4)
    expected[:, 1] = 0.5 * closing.log_variance(h)[:, 1]
    torch.testing.assert_close(gate.shift(h), expected)
    affine = LatentGate(None, latents, torch.ones(4, dtype=torch.bool))
    assert (affine.scale(h) == 1).all() and (affine.shift(h) == 0).all()
