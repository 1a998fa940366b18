"""VAEs: shapes, posteriors, likelihoods, and building one again from its configuration."""

import pytest
import reference
import torch
from torch import nn

from rvae_lite import VAE, gaussian
from rvae_lite.models.vae import PosteriorHead

CLASSES = dict(
    full=gaussian.FullPosterior,
    diagonal=gaussian.DiagonalPosterior,
    low_rank=gaussian.LowRankPosterior,
)
posteriors = pytest.mark.parametrize("posterior", sorted(CLASSES))


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@posteriors
@pytest.mark.parametrize("data_dim", [5, (1, 4, 3)])
def test_encode_and_decode_have_the_shapes_of_the_data(posterior, data_dim):
    model = VAE.mlp(data_dim, 3, (8,), posterior=posterior).double()
    data_shape = (5,) if data_dim == 5 else data_dim
    q = model.encode(draw(6, *data_shape))
    assert isinstance(q, CLASSES[posterior])
    assert q.mean.shape == (6, 3)
    z = q.sample(draw(6, model.noise_dim))
    assert z.shape == (6, 3)
    assert model.decode(z).shape == (6, *data_shape)
    assert model.distortion(draw(6, *data_shape), z).shape == q.kl_divergence().shape == (6,)
    assert q.covariance().shape == (6, 3, 3)


@posteriors
def test_posterior_parameters_are_the_heads_outputs_in_order(posterior):
    head = PosteriorHead(4, 3, posterior, rank=2).double()
    features = draw(5, 4)
    output = features @ head.linear.weight.T + head.linear.bias
    q = head(features)
    joined = torch.cat([part.flatten(1) for part in q], dim=1)
    torch.testing.assert_close(joined, output, rtol=1e-12, atol=1e-12)
    assert head.noise_dim == (5 if posterior == "low_rank" else 3)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("noise_variance", [0.1, 0.7])
def test_distortion_and_rate_agree_with_the_reference(likelihood, noise_variance):
    model = VAE.mlp(5, 3, (8, 6), likelihood=likelihood, noise_variance=noise_variance).double()
    x, noise, weights = draw(6, 5), draw(6, 3, seed=1), dict(model.named_parameters())
    x = (x > 0).double() if likelihood == "bernoulli" else x
    q = model.encode(x)
    expected = reference.terms(
        weights, x, noise, likelihood=likelihood, noise_variance=noise_variance
    )
    actual = model.distortion(x, q.sample(noise)), q.kl_divergence()
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def test_decode_is_the_decoders_output_for_gaussian_and_its_sigmoid_for_bernoulli():
    z = draw(4, 2)
    for likelihood in ("gaussian", "bernoulli"):
        model = VAE.mlp(5, 2, (8,), likelihood=likelihood).double()
        output = reference.decode(dict(model.named_parameters()), z)
        expected = 1 / (1 + (-output).exp()) if likelihood == "bernoulli" else output
        torch.testing.assert_close(model.decode(z), expected, rtol=1e-12, atol=1e-12)


def test_the_decoder_mirrors_the_encoder():
    model = VAE.mlp(5, 2, (16, 8))
    widths = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]
    assert widths == [(5, 16), (16, 8), (2, 8), (8, 16), (16, 5), (8, 2 + 2 + 1)]


@posteriors
def test_a_model_is_built_again_from_its_config(posterior):
    model = VAE.mlp(
        (1, 2, 2), 3, (8, 4), posterior=posterior, likelihood="bernoulli", noise_variance=0.5
    )
    again = VAE.from_config(model.config)
    again.load_state_dict(model.state_dict())
    assert again.config == model.config
    assert again.value_range == (0.0, 1.0)
    x = draw(3, 1, 2, 2).float().sigmoid()
    assert torch.equal(model.encode(x).mean, again.encode(x).mean)


def test_bernoulli_data_must_lie_between_0_and_1_and_gaussian_data_as_declared():
    assert VAE.mlp(5, 2, likelihood="bernoulli").value_range == (0.0, 1.0)
    assert VAE.mlp(5, 2).value_range is None
    assert VAE.mlp(5, 2, value_range=(-1.0, 1.0)).value_range == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            (5, 2),
            dict(posterior="banana"),
            r"must be one of \['diagonal', 'full', 'low_rank'\], not 'banana'",
        ),
        (
            (5, 2),
            dict(likelihood="poisson"),
            "likelihood must be 'gaussian' or 'bernoulli', not 'poisson'",
        ),
        ((5, 2), dict(noise_variance=0.0), "noise_variance must be positive, not 0.0"),
        ((5, 2), dict(noise_variance=float("nan")), "noise_variance must be positive, not nan"),
        ((0, 2), {}, "data_dim must be positive, not 0"),
        ((5, 0), {}, "latent_dim must be positive, not 0"),
        ((5, 2, ()), {}, r"hidden must be positive, not \(\)"),
        ((5, 2, (8, 0)), {}, r"hidden must be positive, not \(8, 0\)"),
    ],
)
def test_impossible_models_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        VAE.mlp(*arguments, **options)


def test_an_unknown_network_names_the_known_ones():
    with pytest.raises(ValueError, match=r"network must be one of \['mlp'.*\], not 'transformer'"):
        VAE.from_config(dict(network="transformer"))
    with pytest.raises(ValueError, match="not None"):
        VAE.from_config({})


OLD_CONFIGS = [  # as the constructors wrote them before `VAE.build`, and files hold them
    (
        dict(network="mlp", data_dim=[5], latent_dim=2, hidden=[8, 6])
        | dict(decoder_hidden=None, decoder_activation="relu", likelihood="bernoulli"),
        lambda: VAE.mlp(5, 2, (8, 6), likelihood="bernoulli"),
    ),
    (
        dict(network="mlp", data_dim=[1, 4, 4], latent_dim=3, hidden=[8, 6])
        | dict(decoder_hidden=[7, 9], decoder_activation="tanh", head_dim=6)
        | dict(posterior="low_rank", noise_variance=0.3, value_range=[-1.0, 2.0]),
        lambda: VAE.mlp(
            *((1, 4, 4), 3, (8, 6)),
            **dict(decoder_hidden=(7, 9), decoder_activation="tanh", head_dim=6),
            **dict(posterior="low_rank", noise_variance=0.3, value_range=(-1.0, 2.0)),
        ),
    ),
    (
        dict(network="linear", data_dim=5, latent_dim=2, noise_variance=0.4),
        lambda: VAE.linear(5, 2, noise_variance=0.4),
    ),
    (
        dict(network="residual", data_shape=[2, 8, 8], latent_dim=3, hidden=[], head_dim=5)
        | dict(posterior="diagonal", channels=[4, 6], blocks=[0, 0]),
        lambda: VAE.conv((2, 8, 8), 3, (4, 6), head_dim=5, posterior="diagonal"),
    ),
    (
        dict(network="residual", data_shape=[1, 8, 8], latent_dim=3, hidden=[10], head_dim=7)
        | dict(channels=[4, 6], blocks=[1, 2]),
        lambda: VAE.residual((1, 8, 8), 3, (4, 6), blocks=(1, 2), hidden=(10,), head_dim=7),
    ),
    (
        dict(network="patch", data_shape=[3, 8, 12], latent_dim=3, hidden=[9, 7], head_dim=None)
        | dict(likelihood="bernoulli", patch_size=2, channels=5),
        lambda: VAE.patch(
            (3, 8, 12), 3, patch_size=2, channels=5, hidden=(9, 7), likelihood="bernoulli"
        ),
    ),
    (
        dict(network="cnn", data_shape=[1, 18, 16], latent_dim=3, width=0.03)
        | dict(posterior="diagonal", likelihood="bernoulli"),
        lambda: VAE.cnn((1, 18, 16), 3, width=0.03),
    ),
    (
        dict(network="resnet", data_shape=[3, 9, 12], latent_dim=3, width=0.06)
        | dict(posterior="full", likelihood="bernoulli"),
        lambda: VAE.resnet((3, 9, 12), 3, width=0.06, posterior="full"),
    ),
]


def built(build):
    """A model and all that it is made of, at one seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = build()
    settings = (model.likelihood, model.noise_variance, model.value_range, model.head.posterior)
    return model, repr(model), settings[:2], tuple(settings[2] or ()), settings[3]


@pytest.mark.parametrize(("config", "build"), OLD_CONFIGS)
def test_the_config_of_an_old_file_builds_the_same_model(config, build):
    (old, *old_parts), (new, *new_parts) = built(lambda: VAE.from_config(config)), built(build)
    assert old_parts == new_parts
    assert list(old.state_dict()) == list(new.state_dict())
    assert all(
        torch.equal(old.state_dict()[key], new.state_dict()[key]) for key in new.state_dict()
    )


def test_a_config_holds_every_option_that_was_left_at_its_default():
    sizes = dict(data_shape=[5], latent_dim=2)
    mlp = dict(hidden=[64, 64], decoder_hidden=None, decoder_activation="relu")
    assert (
        VAE.build("mlp", 5, 2).config == VAE.mlp(5, 2).config == dict(network="mlp", **sizes, **mlp)
    )
    assert VAE.linear(5, 2).config == dict(
        network="linear", **sizes, posterior="constant", noise_variance=0.1
    )
    image = VAE.build("residual", (1, 8, 8), 2, head_dim=3)
    assert image.config == dict(network="residual", data_shape=[1, 8, 8], latent_dim=2) | dict(
        channels=[16, 32], blocks=[0, 1], hidden=[], head_dim=3
    )
    assert image.head.hidden.out_features == 3 * 3 and image.decoder[0].out_features == 3


def test_a_vae_lists_the_layers_to_gate():
    model = VAE.mlp(5, 2, (8, 8))
    assert model.layers_to_gate() == ["encoder.1", "encoder.3", "decoder.2"]
    shallow = VAE.mlp(5, 2, (8,))
    assert shallow.layers_to_gate() == ["encoder.1", "decoder.0"]
    own = VAE(nn.Linear(4, 3), nn.Linear(2, 4), data_shape=(4,), feature_dim=3, latent_dim=2)
    assert own.layers_to_gate() == ["encoder"]


def test_the_linear_vae_alone_has_one_covariance_for_all_data():
    assert VAE.linear(5, 2).is_linear and not VAE.mlp(5, 2).is_linear
