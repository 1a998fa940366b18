"""Networks of all kinds: shapes, the papers' sizes, and how replicas of them train."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rvae_lite import VAE, Fit, engine, fit
from rvae_lite.models.networks import FromPatches, ResidualBlock, ToPatches

SMALL = dict(
    residual=lambda: VAE.residual((1, 8, 8), 3, (4, 6), blocks=(1, 2), hidden=(10,), head_dim=7),
    conv=lambda: VAE.conv((2, 8, 8), 3, (4, 6), head_dim=5, posterior="diagonal"),
    patch=lambda: VAE.patch((1, 8, 8), 3, patch_size=4, channels=5, hidden=(9,)),
    cnn=lambda: VAE.cnn((1, 18, 16), 3, width=0.03),
    resnet=lambda: VAE.resnet((3, 9, 12), 3, width=0.06, posterior="full"),
)
every_network = pytest.mark.parametrize("name", sorted(SMALL))


def images(count, shape, seed=0):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


@every_network
def test_images_go_in_and_come_out(name):
    model = SMALL[name]()
    x = images(4, model.data_shape)
    posterior = model.encode(x)
    assert posterior.mean.shape == (4, 3)
    assert model.decode(posterior.mean).shape == x.shape
    assert model.distortion(x, posterior.mean).shape == (4,)


@every_network
def test_a_network_is_built_again_from_its_config(name):
    model = SMALL[name]()
    again = VAE.from_config(model.config)
    again.load_state_dict(model.state_dict())
    x = images(2, model.data_shape)
    assert torch.equal(model.decode(model.encode(x).mean), again.decode(again.encode(x).mean))


def test_the_default_is_the_papers_network_for_mnist_and_chairs():
    for side, flat in ((28, 1568), (64, 8192)):
        model = VAE.residual((1, side, side), 16)
        assert model.encoder(torch.zeros(1, 1, side, side)).shape == (1, flat)
        assert model.head.hidden.out_features == 3 * 224
        assert [output.out_features for output in model.head.outputs] == [16, 16, 120]


def test_the_papers_network_for_birdsong_can_be_said():
    model = VAE.residual((1, 128, 128), 32, (12, 24, 48, 96), blocks=(0, 2, 0, 2), hidden=(1568,))
    flattened = [layer for layer in model.encoder if isinstance(layer, torch.nn.Linear)]
    assert (flattened[0].in_features, flattened[0].out_features) == (6144, 1568)


def test_the_multi_rate_papers_networks_have_its_layers():
    def convolutions(model):
        return [layer for layer in model.encoder.modules() if isinstance(layer, torch.nn.Conv2d)]

    cnn, resnet = VAE.cnn((1, 28, 28), 32), VAE.resnet((1, 28, 28), 32)
    assert [(layer.out_channels, *layer.kernel_size) for layer in convolutions(cnn)] == [
        (channels, 4, 4) for channels in (128, 256, 512, 1024)
    ]
    strided = [layer for layer in convolutions(resnet) if layer.stride == (2, 2)]
    assert [(layer.out_channels, layer.kernel_size[0]) for layer in strided] == [
        (64, 4),
        (128, 4),
        (128, 3),
    ]
    assert [
        block.branch[1].out_channels for block in resnet.encoder if isinstance(block, ResidualBlock)
    ] == [128, 128]
    assert (cnn.likelihood, cnn.head.posterior, resnet.likelihood) == (
        "bernoulli",
        "diagonal",
        "bernoulli",
    )


@pytest.mark.parametrize("build", [VAE.cnn, VAE.resnet])
@pytest.mark.parametrize("side", [(16, 17), (28, 28), (31, 19), (32, 32)])
def test_mirrors_meet_images_of_any_size(build, side):
    model = build((1, *side), 2, width=0.02)
    assert model.decode(torch.zeros(2, 2)).shape == (2, 1, *side)


def test_the_linear_vae_is_linear_and_its_variance_the_same_everywhere():
    model, x = VAE.linear(5, 2, noise_variance=0.3), torch.randn(4, 5)
    posterior = model.encode(x)
    torch.testing.assert_close(
        posterior.mean, x @ model.head.linear.weight.T + model.head.linear.bias
    )
    assert torch.equal(posterior.covariance(), torch.eye(2).expand(4, 2, 2))
    again = VAE.from_config(model.config)
    assert (again.noise_variance, again.latent_dim, again.data_shape) == (0.3, 2, (5,))


def test_a_residual_block_keeps_negative_values_on_its_skip_path():
    block = ResidualBlock(2)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    x = torch.randn(1, 2, 4, 4)
    before = x.clone()
    assert torch.equal(block(x), before) and torch.equal(x, before)


def test_residual_blocks_do_not_share_weights():
    model = VAE.residual((1, 8, 8), 3, (4, 6), blocks=(0, 2))
    first, second = [layer for layer in model.encoder if isinstance(layer, ResidualBlock)]
    assert not torch.equal(first.branch[1].weight, second.branch[1].weight)


def test_patches_are_a_convolution_whose_kernel_is_its_stride():
    linear, x = torch.nn.Linear(2 * 16, 5), images(3, (2, 8, 12))
    expected = F.conv2d(x, linear.weight.view(5, 2, 4, 4), linear.bias, stride=4)  # (3, 5, 2, 3)
    torch.testing.assert_close(linear(ToPatches(4)(x)), expected.flatten(2).transpose(1, 2))
    assert torch.equal(FromPatches(4, (2, 8, 12))(ToPatches(4)(x)), x)


def test_convolutions_train_one_by_one_on_a_cpu_and_side_by_side_elsewhere():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert engine.one_by_one(SMALL["residual"](), cpu) and not engine.one_by_one(
        SMALL["residual"](), cuda
    )
    assert not engine.one_by_one(SMALL["patch"](), cpu)


@every_network
def test_replicas_together_equal_replicas_alone(name):
    model = SMALL[name]().double()
    x = images(12, model.data_shape).double()
    plan = dict(epochs=2, batch_size=6, compile=False)
    together = fit(model, x, replicas=2, seed=[3, 4], beta=[1.0, 2.0], **plan)
    alone = fit(model, x, seed=[4], beta=2.0, **plan)
    torch.testing.assert_close(together.weights[1], alone.weights[0], rtol=0, atol=1e-10)
    torch.testing.assert_close(together.encode(x)[1], alone.encode(x)[0], rtol=0, atol=1e-10)


def test_vectorised_and_looped_replicas_of_a_convolution_agree(monkeypatch):
    model = SMALL["residual"]().double()
    x, plan = (
        images(12, model.data_shape).double(),
        dict(epochs=2, batch_size=6, replicas=3, compile=False),
    )
    looped = fit(model, x, **plan)
    encoded, decoded = looped.encode(x), looped.decode(looped.encode(x))
    monkeypatch.setattr(engine, "one_by_one", lambda model, device: False)
    vectorised = fit(model, x, **plan)
    torch.testing.assert_close(vectorised.weights, looped.weights, rtol=0, atol=1e-10)
    torch.testing.assert_close(vectorised.encode(x), encoded, rtol=0, atol=1e-10)
    torch.testing.assert_close(vectorised.decode(encoded), decoded, rtol=0, atol=1e-10)


def test_a_fit_of_convolutions_is_saved_and_loaded(tmp_path):
    model = SMALL["residual"]()
    x = images(6, model.data_shape)
    trained = fit(model, x, epochs=1, batch_size=6, compile=False)
    trained.save(tmp_path / "fit.npz")
    assert torch.equal(Fit.load(tmp_path / "fit.npz").encode(x), trained.encode(x))


def test_the_squared_error_is_of_the_decoded_posterior_mean():
    model = SMALL["patch"]()
    x = images(5, model.data_shape)
    trained = fit(model, x, replicas=2, epochs=1, batch_size=5)
    expected = (trained.reconstruct(x) - x).square().flatten(2).sum(2).mean(1)
    np.testing.assert_allclose(trained.evaluate(x).squared_error, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: VAE.residual((28, 28), 3),
            r"data_shape must be \(channels, height, width\), not \(28, 28\)",
        ),
        (
            lambda: VAE.residual((1, 30, 30), 3),
            r"must divide by 4 in height and width for 2 convolutions",
        ),
        (
            lambda: VAE.residual((1, 8, 8), 3, (4, 6), blocks=(1,)),
            r"one count per convolution \(2\), not \(1,\)",
        ),
        (lambda: VAE.conv((1, 8, 8), 3, ()), r"channels must be positive, not \(\)"),
        (lambda: VAE.patch((1, 9, 9), 3), "must divide by 4 in height and width for patch_size 4"),
        (lambda: VAE.patch((1, 8, 8), 0), "latent_dim must be positive, not 0"),
        (
            lambda: VAE.cnn((1, 12, 28), 2),
            r"data_shape \(1, 12, 28\) must be at least 16 in height and width: pad",
        ),
        (lambda: VAE.resnet((1, 28, 28), 2, width=0), "width must be positive, not 0"),
        (lambda: VAE.linear(0, 2), "data_dim must be positive, not 0"),
    ],
)
def test_impossible_networks_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
