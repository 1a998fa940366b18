"""Multi-rate models: gated equals folded, beta lasts for a call, and what cannot be gated is named."""

import warnings

import pytest
import torch
from torch import nn

from rvae_lite import VAE
from rvae_lite.gates import Gate
from rvae_lite.linear_vae import LogScaleResponse
from rvae_lite.multirate import LogUniform, MultiRate, build, closed_share, make_multirate

BETAS = torch.logspace(-2, 1, 20).tolist()
NETWORKS = dict(
    mlp=lambda: VAE.mlp(5, 2, (16, 12)),
    linear=lambda: VAE.linear(5, 2),
    residual=lambda: VAE.residual((1, 8, 8), 3, (4, 6), blocks=(1, 2), hidden=(10,), head_dim=7),
    conv=lambda: VAE.conv((2, 8, 8), 3, (4, 6), head_dim=5, posterior="low_rank"),
    patch=lambda: VAE.patch((1, 8, 8), 3, patch_size=4, channels=5, hidden=(9,)),
    cnn=lambda: VAE.cnn((1, 28, 28), 3, width=0.05),
    resnet=lambda: VAE.resnet((3, 17, 12), 3, width=0.1),
)
every_network = pytest.mark.parametrize("name", NETWORKS)
every_gate = pytest.mark.parametrize("gate", [None, "sigmoid", "sqrt", "film", ("film", "sigmoid")])


def scattered(gated, seed=0):
    """The gated model with responses that differ, in eval mode, batch norms with statistics of some data."""
    random = torch.Generator().manual_seed(seed)
    responses = [layer for layer in gated.modules() if isinstance(layer, (Gate, LogScaleResponse))]
    with torch.no_grad():
        for parameter in (parameter for layer in responses for parameter in layer.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=random).to(parameter))
        if hasattr(gated, "data_shape"):
            gated.encode(torch.rand(32, *gated.data_shape, generator=random).to(parameter), 1.0)
            gated.decode(torch.randn(32, gated.latent_dim, generator=random).to(parameter), 1.0)
    return gated.eval()


def inputs_of(model, count=20):
    random = torch.Generator().manual_seed(3)
    return torch.rand(count, *model.data_shape, generator=random), torch.randn(
        count, model.latent_dim, generator=random
    )


def outputs_of(model, x, z, *beta):
    posterior = model.encode(x, *beta)
    return [*posterior, model.decode(z, *beta), model.distortion(x, z, *beta)]


@every_network
@every_gate
def test_a_gated_vae_equals_its_plain_one_at_every_beta(name, gate):
    gated = scattered(make_multirate(NETWORKS[name](), gate=gate))
    x, z = inputs_of(gated)
    for beta in BETAS:
        plain = gated.at_beta(beta)
        assert isinstance(plain, VAE) and not plain.training
        for one, other in zip(outputs_of(gated, x, z, beta), outputs_of(plain, x, z), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"linear"}))
@pytest.mark.parametrize("latents", ["closing", "film", "none"])
def test_gates_at_layers_and_at_latents_fold_together(name, latents):
    model = NETWORKS[name]()
    gated = make_multirate(model, latents=latents, layers=model.layers_to_gate())
    gated = scattered(build(gated.config))
    x, z = inputs_of(gated)
    for beta in BETAS:
        plain = gated.at_beta(beta)
        for one, other in zip(outputs_of(gated, x, z, beta), outputs_of(plain, x, z), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("posterior", ["full", "diagonal", "low_rank"])
@pytest.mark.parametrize("head_dim", [None, 7])
def test_a_closed_latent_is_the_prior_and_says_nothing(posterior, head_dim):
    model = VAE.mlp(5, 3, (8, 8), posterior=posterior, head_dim=head_dim).double()
    gated = scattered(make_multirate(model))
    with torch.no_grad():
        gated.closing.weight.copy_(torch.tensor([0.0, 2.0, 2.0]))
        gated.closing.bias.copy_(torch.tensor([-3.0, -2.0, 4.0]))  # the last two close
    x, z = inputs_of(gated)
    x, z = x.double(), z.double()
    with torch.no_grad():
        posterior, recon = gated.encode(x, 10.0), gated.decode(z, 10.0)
        z[:, 1:] += 1.0
        torch.testing.assert_close(gated.decode(z, 10.0), recon)
    covariance = posterior.covariance()
    assert (posterior.mean[:, 1:] == 0).all() and (posterior.mean[:, 0] != 0).all()
    torch.testing.assert_close(covariance[:, 1:, 1:], torch.eye(2).double().expand(20, 2, 2))
    assert (covariance[:, 0, 1:] == 0).all()
    with torch.no_grad():
        gated.closing.bias.fill_(9.0)  # all of them close
        assert gated.encode(x, 10.0).kl_divergence().abs().max() < 1e-12


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(4, 2)), "no linear layer of it reads latents: leave it out"),
        (VAE.linear(5, 2), "is not for a linear VAE, which has its own exact response"),
        (
            VAE(
                nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU()),
                nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.ConvTranspose2d(2, 1, 4)),
                data_shape=(1, 4, 4),
                feature_dim=8,
                latent_dim=2,
            ),
            "no linear layer of it reads latents",
        ),
    ],
)
def test_latents_that_cannot_close_are_refused_and_left_alone_by_default(module, message):
    assert make_multirate(module).closing is None
    with pytest.raises(ValueError, match=message):
        make_multirate(module, latents="closing")


def test_a_config_of_an_older_release_builds_the_model_as_it_was():
    gated = make_multirate(VAE.mlp(5, 2, (8, 8)), latents="none")
    older = {key: value for key, value in gated.config.items() if key != "latents"}
    again = build(older)
    assert again.closing is None and again.config == gated.config
    assert list(again.state_dict()) == list(gated.state_dict())


@every_network
def test_a_plain_copy_is_built_as_if_never_gated(name):
    model = NETWORKS[name]()
    plain = make_multirate(model).at_beta(1.0)
    assert [type(layer) for layer in plain.modules()] == [type(layer) for layer in model.modules()]
    assert {key: value.shape for key, value in plain.state_dict().items()} == {
        key: value.shape for key, value in model.state_dict().items()
    }


@every_network
def test_every_example_has_its_own_beta(name):
    gated = scattered(make_multirate(NETWORKS[name]()).double())
    x, z = (values.double() for values in inputs_of(gated))
    together = outputs_of(gated, x, z, torch.tensor(BETAS, dtype=torch.float64))
    for i, beta in enumerate(BETAS):
        for one, other in zip(outputs_of(gated, x, z, beta), together, strict=True):
            torch.testing.assert_close(one[i], other[i], rtol=1e-10, atol=1e-10)


@every_network
@every_gate
def test_a_multi_rate_vae_is_built_again_from_its_config(name, gate):
    gated = make_multirate(NETWORKS[name](), gate=gate, beta_range=(0.1, 5.0), outside="refuse")
    again = build(gated.config)
    again.load_state_dict(gated.state_dict())
    assert (again.config, again.beta_range, again.outside) == (gated.config, (0.1, 5.0), "refuse")
    x, z = inputs_of(gated)
    for one, other in zip(
        outputs_of(gated.eval(), x, z, 0.7), outputs_of(again.eval(), x, z, 0.7), strict=True
    ):
        assert torch.equal(one, other)


def test_a_multi_rate_mlp_is_called_with_its_beta():
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    gated = scattered(make_multirate(module))
    x = torch.randn(20, 4)
    for i, beta in enumerate(BETAS):
        torch.testing.assert_close(gated(x, beta), gated.at_beta(beta)(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            gated(x, torch.tensor(BETAS))[i], gated(x, beta)[i], rtol=1e-5, atol=1e-5
        )
    assert not torch.allclose(gated(x, 0.01), gated(x, 10.0), atol=1e-2)


def test_one_layer_alone_and_one_layer_twice_can_be_gated():
    x, shared = torch.randn(3, 4), nn.Linear(4, 4)
    for module in (nn.Linear(4, 2), nn.Sequential(shared, nn.ReLU(), shared)):
        gated = scattered(make_multirate(module))
        torch.testing.assert_close(gated(x, 0.3), gated.at_beta(0.3)(x))


def test_a_block_that_stands_in_two_places_is_gated_once_and_folded():
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    gated = scattered(make_multirate(nn.Sequential(block, block)))
    assert len(list(gated.parameters())) == 4
    x = torch.randn(3, 4)
    torch.testing.assert_close(gated(x, 0.3), gated.at_beta(0.3)(x))


def test_the_module_itself_is_left_alone():
    module = nn.Sequential(nn.Linear(4, 2))
    before = module[0].weight.clone()
    scattered(make_multirate(module))
    assert type(module[0]) is nn.Linear and torch.equal(module[0].weight, before)


def test_no_beta_is_left_behind():
    gated = make_multirate(VAE.mlp(5, 2, (8,)))
    gated.encode(torch.zeros(3, 5), 0.5)
    assert gated.condition.h is None
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gated.encode(torch.zeros(3, 4), 0.5)
    assert gated.condition.h is None
    with pytest.raises(ValueError, match="needs a beta"):
        gated.module.encode(torch.zeros(3, 5))


def test_gradients_reach_weights_and_gates():
    gated = make_multirate(VAE.mlp(5, 2, (8, 8)))
    x, z = inputs_of(gated)
    (
        gated.encode(x, torch.tensor(BETAS)).kl_divergence()
        + gated.distortion(x, z, torch.tensor(BETAS))
    ).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in gated.parameters())


# Which layers


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("mlp", ["encoder.1", "encoder.3", "decoder.2"]),
        (
            "cnn",
            [
                "encoder.1",
                "encoder.4",
                "encoder.7",
                "encoder.10",
                "decoder.3",
                "decoder.6",
                "decoder.9",
            ],
        ),
        ("patch", ["encoder.1", "encoder.4", "decoder.2"]),
    ],
)
def test_heads_the_decoders_first_linear_and_its_output_stay_plain(name, layers):
    gated = make_multirate(NETWORKS[name]())
    assert gated.config["layers"] == layers
    kinds = {layer: gated.module.get_submodule(layer).gate.kind for layer in layers}
    assert kinds == {
        layer: "sigmoid" if layer.startswith("encoder") else "sqrt" for layer in layers
    }


def test_the_gate_follows_the_batch_norm():
    layers = list(make_multirate(VAE.cnn((1, 16, 16), 2, width=0.05)).module.encoder)
    assert [type(layer).__name__ for layer in layers[:3]] == ["Conv2d", "Gated", "ReLU"]
    assert isinstance(layers[1].layer, nn.BatchNorm2d)


def test_a_decoder_of_one_hidden_layer_is_gated_there():
    assert make_multirate(VAE.mlp(5, 2, (8,))).config["layers"] == ["encoder.1", "decoder.0"]


def test_layers_are_chosen_by_name_or_by_a_function():
    by_name = make_multirate(VAE.mlp(5, 2, (8,)), layers=["encoder.1", "head.linear"])
    assert by_name.config["layers"] == ["encoder.1", "head.linear"]
    by_function = make_multirate(
        VAE.mlp(5, 2, (8,)), layers=lambda name, layer: name == "decoder.2"
    )
    assert by_function.config["layers"] == ["decoder.2"]
    assert by_function.module.decoder[2].gate.kind == "sqrt"


def test_layers_that_cannot_be_gated_are_left_plain_where_others_are_named():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.linear = nn.Embedding(10, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.linear(self.embedding(x))

    x = torch.arange(5)
    gated = scattered(make_multirate(Words(), layers=["linear"]))
    torch.testing.assert_close(gated(x, 0.3), gated.at_beta(0.3)(x))
    with pytest.raises(
        ValueError,
        match=r"layers \['embedding \(Embedding\)'\] cannot be gated: name in layers= those",
    ):
        make_multirate(Words())


# Closed channels


def test_no_channel_is_closed_at_first():
    assert [closed_share(make_multirate(build())) for build in NETWORKS.values()] == [0.0] * len(
        NETWORKS
    )


def test_channels_closed_at_every_beta_are_counted():
    gated = make_multirate(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)))
    gate = gated.module[0].gate
    with torch.no_grad():
        gate.weight.copy_(torch.tensor([0.0, 1.0, -1.0, 1.0]))
        gate.bias.copy_(
            torch.tensor([0.5, 1.0, 1.8, 10.0])
        )  # closed; open at one end; closed, just; closed
    assert closed_share(gated) == 3 / 8


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda gated, x: gated(x, 0.0), "beta must be positive and finite, not 0"),
        (
            lambda gated, x: gated(x, torch.tensor([1.0, 1.0, -2.0])),
            "beta must be positive and finite, not -2",
        ),
        (lambda gated, x: gated(x, float("nan")), "beta must be positive and finite, not nan"),
        (lambda gated, x: gated(x, float("inf")), "beta must be positive and finite, not inf"),
        (lambda gated, x: gated(x, "high"), "beta must be a number or one per example, not 'high'"),
        (
            lambda gated, x: gated(x, torch.ones(3, 1)),
            r"one per example, \(B,\), not of shape \(3, 1\)",
        ),
        (
            lambda gated, x: gated(x, torch.ones(2)),
            "beta has 2 entries for a batch of 3: pass a number or one per",
        ),
        (
            lambda gated, x: gated.at_beta(torch.ones(2)),
            r"at_beta takes one number, not beta of shape \(2,\)",
        ),
        (lambda gated, x: gated.at_beta(-1.0), "beta must be positive and finite, not -1"),
    ],
)
def test_impossible_betas_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_multirate(nn.Sequential(nn.Linear(4, 2))), torch.zeros(3, 4))


def test_a_beta_outside_the_range_is_a_warning_once_that_says_the_range():
    gated, x = make_multirate(nn.Sequential(nn.Linear(4, 2))), torch.zeros(3, 4)
    with pytest.warns(
        UserWarning, match=r"beta 20 is outside \[0.01, 10\], the range of training: .* extrap"
    ) as caught:
        gated(x, 20.0)
    assert caught[0].filename.endswith(("test_multirate.py", "module.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gated(x, 1e-3)


def test_a_beta_outside_the_range_is_refused_where_asked():
    gated = make_multirate(nn.Sequential(nn.Linear(4, 2)), outside="refuse", beta_range=(0.1, 1.0))
    with pytest.raises(
        ValueError,
        match=r"beta 0.05 is outside \[0.1, 1\], the range of training: choose one inside",
    ):
        gated(torch.zeros(3, 4), torch.tensor([0.5, 0.05, 1.0]))
    gated(torch.zeros(2, 4), torch.tensor([0.1, 1.0]))  # the ends belong to it, in float32 too


def test_a_tilted_model_starts_and_starts_again_tilted():
    gated = make_multirate(VAE.mlp(5, 2, (8,)), tilt=2.0)
    again = build(gated.config)
    for model in (gated, again):
        gate = model.module.encoder[1].gate
        gate.reset_parameters()
        assert (gate.weight == -2).all() and (gate.bias == 2).all()
        assert (model.module.decoder[0].gate.weight == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(beta_range=(1.0, 0.1)), r"must be positive, finite and ascending, not \[1, 0.1\]"),
        (dict(beta_range=(0.0, 1.0)), r"must be positive, finite and ascending, not \[0, 1\]"),
        (dict(beta_range=3), "the range of beta must be two numbers, lowest and highest, not 3"),
        (
            dict(gate="relu"),
            r"gate must be one of \['film', 'sigmoid', 'sqrt'\], or two .* not 'relu'",
        ),
        (dict(latents="open"), r"latents must be one of \['closing', 'film', 'none'\], not 'open'"),
        (dict(layers=[], latents="none"), "the module has no layers to gate: name some in layers="),
        (dict(tilt=-1.0), "tilt must be a number from 0 upwards, not -1.0"),
        (dict(tilt="steep"), "tilt must be a number from 0 upwards, not 'steep'"),
        (dict(outside="ignore"), "outside must be 'warn' or 'refuse', not 'ignore'"),
        (
            dict(layers=["nothing"]),
            r"layers \['nothing'\] are not in the module, which has \['encoder.1', ",
        ),
        (
            dict(layers=["encoder.2"]),
            r"layers \['encoder.2 \(ReLU\)'\] cannot be gated: only linear layers",
        ),
        (dict(layers=[]), "the module has no layers to gate: name some in layers="),
    ],
)
def test_impossible_gates_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_multirate(VAE.mlp(5, 2, (8,)), **options)


def test_a_law_says_its_range_and_refuses_an_impossible_one():
    assert repr(LogUniform(0.01, 10)) == "LogUniform(0.01, 10)"
    with pytest.raises(ValueError, match=r"must be positive, finite and ascending, not \[2, 1\]"):
        LogUniform(2, 1)


def test_a_model_of_ones_own_has_no_recipe_but_can_be_gated():
    model = VAE(
        nn.Linear(4, 8),
        nn.Sequential(nn.Linear(2, 4)),
        data_shape=(4,),
        feature_dim=8,
        latent_dim=2,
    )
    gated = make_multirate(model, layers=["encoder", "decoder.0"])
    assert isinstance(gated, MultiRate) and gated.config is None
    assert gated.encode(torch.zeros(3, 4), 1.0).mean.shape == (3, 2)
