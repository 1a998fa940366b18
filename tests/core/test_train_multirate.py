"""`fit` of multi-rate models and of networks with batch norm: identities, an exact oracle, refusals."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toy import assert_close, batch_loss, fit_quietly, terms_of, toy_data, toy_model, toy_points

from rvae_lite import VAE, Fit, RosettaPoints, data, engine, fit, linear_vae
from rvae_lite.anchors import Weighted
from rvae_lite.laws import Annealed, Cosine
from rvae_lite.multirate import LogUniform, closed_share, make_multirate

LAW = LogUniform(0.01, 10.0)
BY_BATCH = LogUniform(0.01, 10.0, per="batch")
IMAGES = torch.rand(24, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
NETWORKS = dict(
    mlp=lambda: VAE.mlp((1, 16, 16), 3, (8, 8)),
    cnn=lambda: VAE.cnn((1, 16, 16), 3, width=0.03),
    resnet=lambda: VAE.resnet((1, 16, 16), 3, width=0.06),
    patch=lambda: VAE.patch((1, 16, 16), 3, channels=4, hidden=(8,)),
)
every_network = pytest.mark.parametrize("name", NETWORKS)


def multirate_fit(name="mlp", *, gates=None, **options):
    """Two replicas of a small multi-rate network in float64, two epochs long."""
    settings = (
        dict(replicas=2, seed=[3, 4], epochs=2, batch_size=8, beta=LAW, compile=False) | options
    )
    return fit(make_multirate(NETWORKS[name]().double(), **gates or {}), IMAGES, **settings)


# Multi-rate replicas


@every_network
@pytest.mark.parametrize("law", [LAW, BY_BATCH], ids=["example", "batch"])
def test_multi_rate_replicas_together_equal_replicas_alone(name, law):
    together, alone = (
        multirate_fit(name, beta=law),
        multirate_fit(name, beta=law, replicas=1, seed=[4]),
    )
    assert_close(together.weights[1], alone.weights[0])
    assert_close(terms_of(together)[:, :, 1], terms_of(alone)[:, :, 0])
    assert_close(together.encode(IMAGES, beta=0.3)[1], alone.encode(IMAGES, beta=0.3)[0])
    assert (together.weights - engine.State.initial(together.model, [3, 4]).weights).abs().amax(
        1
    ).min() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("speed", "replicas", "compiled"), [(1, 1, False), (5, 1, False), (5, 2, True)]
)
def test_gates_learn_at_a_speed_of_their_own(traced, speed, replicas, compiled):
    options = dict(
        epochs=1, batch_size=24, learning_rate=1e-3, compile=compiled
    )  # a single step of Adam
    space = multirate_fit(
        **options, gates=dict(gate_speed=speed), replicas=replicas, seed=[3, 4][:replicas]
    )
    moved = (space.weights - engine.State.initial(space.model, space.seeds).weights).abs()[0]
    named = engine.Parameters(space.model).unflatten(moved)
    fast = [name for name in named if ".gate." in name or name.startswith("closing.")]
    fast = [name for name in fast if ".film." not in name]  # affine gates have the others' speed
    gates = torch.cat([named[name] for name in fast])
    others = torch.cat([named[name].flatten() for name in named if name not in fast])
    assert any(name.startswith("closing.") for name in fast)
    assert gates.max() == pytest.approx(speed * 1e-3, rel=1e-3)
    assert others.max() == pytest.approx(1e-3, rel=1e-3)


def test_plain_models_do_not_know_the_speed_of_gates():
    model = VAE.mlp(5, 2, (8,))
    assert engine.Parameters(model).speeds(model) == 1
    assert engine.Parameters(gated := make_multirate(model)).speeds(gated).max() == 5


@pytest.mark.slow
def test_compiled_multi_rate_replicas_with_batch_norm_equal_the_eager_ones(traced):
    hidden = nn.Sequential(
        nn.Flatten(), nn.Linear(256, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU()
    )
    decoder = nn.Sequential(nn.Linear(3, 256), nn.Unflatten(1, (1, 16, 16)))
    model = VAE(hidden, decoder, data_shape=(1, 16, 16), feature_dim=6, latent_dim=3).double()
    gated = make_multirate(model, layers=["encoder.2", "decoder.0"])
    options = dict(replicas=2, epochs=2, batch_size=8, beta=LAW)
    eager, compiled = (
        fit(gated, IMAGES, compile=compiled, **options) for compiled in (False, True)
    )
    assert compiled.info["engine"] == "compiled"
    assert_close(compiled.weights, eager.weights)
    assert_close(terms_of(compiled), terms_of(eager))
    for key, buffer in compiled.buffers.items():
        assert_close(buffer, eager.buffers[key])


def test_beta_is_drawn_per_example_or_per_batch():
    plan = engine.Batches.of(1000, 100)
    laws = {100: LAW, None: BY_BATCH}
    drawn = {count: plan.draw(law, [3, 4], 0, engine.RATE, 100) for count, law in laws.items()}
    assert drawn[100].shape == (10, 2, 100) and drawn[None].shape == (10, 2)
    for betas in drawn.values():
        assert betas.min() >= 0.01 and betas.max() <= 10 and len(betas.unique()) == betas.numel()
    logs = drawn[100].log().flatten()
    assert abs(float(logs.mean()) - np.log(0.1**0.5)) < 4 * float(logs.std()) / len(logs) ** 0.5
    assert abs(float(logs.std()) - np.log(1000) / 12**0.5) < 0.1
    examples, batches = multirate_fit(beta=LAW), multirate_fit(beta=BY_BATCH)
    assert (examples.weights - batches.weights).abs().max() > 1e-3


def test_the_loss_weighs_every_examples_rate_by_its_own_beta():
    gated, beta = make_multirate(toy_model()), torch.logspace(-2, 1, 97, dtype=torch.float64)
    x, noise = (
        toy_data(),
        torch.randn(97, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    )
    loss, terms = batch_loss(gated, x, noise, beta, torch.tensor(0.0), None)
    posterior = gated.encode(x, beta)
    distortion, rate = gated.distortion(x, posterior.sample(noise), beta), posterior.kl_divergence()
    assert_close(loss, (distortion + beta * rate).mean())
    assert_close(terms[1:3], torch.stack([distortion.mean(), rate.mean()]))


@every_network
def test_a_multi_rate_fit_answers_at_every_beta(name):
    space = multirate_fit(name)
    betas = torch.logspace(-2, 1, len(IMAGES), dtype=torch.float64)
    own = space.encode(IMAGES, beta=betas)
    decoded = space.decode(own, beta=betas)
    for i in (0, 11, 23):
        plain, beta = space.at_beta(betas[i]), float(betas[i])
        assert_close(plain.encode(IMAGES), space.encode(IMAGES, beta=beta))
        assert_close(own[:, i], space.encode(IMAGES, beta=beta)[:, i])
        assert_close(decoded[:, i], space.decode(own, beta=beta)[:, i])
        assert_close(plain.reconstruct(IMAGES), space.reconstruct(IMAGES, beta=beta))
        np.testing.assert_allclose(
            plain.evaluate(IMAGES), space.evaluate(IMAGES, beta=beta), rtol=1e-10
        )
        assert_close(space.replica(1).at_beta(beta).encode(IMAGES).mean, plain.encode(IMAGES)[1])
        assert (plain.beta == beta).all()


@every_network
def test_a_multi_rate_fit_is_saved_loaded_and_selected(tmp_path, name):
    space = multirate_fit(name)
    space.save(tmp_path / "fit.npz")
    again = Fit.load(tmp_path / "fit.npz")
    assert torch.equal(again.encode(IMAGES, beta=0.3), space.encode(IMAGES, beta=0.3))
    assert torch.equal(
        again.select([1]).encode(IMAGES, beta=0.3), space.encode(IMAGES, beta=0.3)[1:]
    )
    assert again.model.config == space.model.config and again.info.items() < space.info.items()
    plain = space.at_beta(0.3)
    plain.save(tmp_path / "plain.npz")
    assert torch.equal(Fit.load(tmp_path / "plain.npz").encode(IMAGES), plain.encode(IMAGES))


def test_a_long_evaluation_is_cut_into_chunks_with_their_betas():
    x, space = (
        torch.rand(2500, 5, dtype=torch.float64),
        fit(make_multirate(toy_model()), toy_data(), **short()),
    )
    betas = torch.logspace(-2, 1, 2500, dtype=torch.float64)
    assert_close(space.encode(x, beta=betas)[:, 1990:], space.encode(x[1990:], beta=betas[1990:]))


def short(**options):
    return dict(epochs=1, batch_size=50, beta=LAW, compile=False) | options


# Interruptions


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_multi_rate_training_killed_while_writing_goes_on_to_the_same_bits(tmp_path, name):
    script = f"""
        import os, signal
        import test_train_multirate
        from rvae_lite import checkpoints

        checkpoints.PAUSE_SECONDS = -1.0
        checkpoints.SHARE_OF_TIME = float("inf")
        calls, fsync = [], os.fsync

        def kill_at_the_second(descriptor):
            calls.append(descriptor)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(descriptor)

        os.fsync = kill_at_the_second
        test_train_multirate.multirate_fit({name!r}, epochs=3, learning_rate=test_train_multirate.Cosine(1e-3), checkpoint="checkpoint.npz")
    """
    environment = os.environ | dict(
        PYTHONPATH=os.pathsep.join(
            [str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]
        )
    )
    command = [sys.executable, "-c", textwrap.dedent(script)]
    killed = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = multirate_fit(
        name, epochs=3, learning_rate=Cosine(1e-3), checkpoint=tmp_path / "checkpoint.npz"
    )
    uninterrupted = multirate_fit(name, epochs=3, learning_rate=Cosine(1e-3))
    assert torch.equal(resumed.weights, uninterrupted.weights)
    assert np.array_equal(terms_of(resumed), terms_of(uninterrupted))
    for key, buffer in resumed.buffers.items():
        assert torch.equal(buffer, uninterrupted.buffers[key])


def test_a_checkpoint_of_another_course_is_refused_and_the_difference_named(tmp_path):
    path = tmp_path / "checkpoint.npz"
    multirate_fit(epochs=2, learning_rate=Cosine(1e-3), checkpoint=path)
    others = dict(
        learning_rate=dict(learning_rate=1e-3),
        epochs=dict(epochs=3),
        beta=dict(beta=BY_BATCH),
        model=dict(gates=dict(gate_speed=2.0)),
    )
    warmed = dict(learning_rate=Cosine(1e-3, warmup_epochs=1))
    for name, options in [*others.items(), ("learning_rate", warmed)]:
        with pytest.raises(ValueError, match=f"belongs to a training with another .*{name}"):
            multirate_fit(**dict(epochs=2, learning_rate=Cosine(1e-3), checkpoint=path) | options)


# Batch norm


def batch_norm_loop(seed, *, epochs, batch_size, learning_rate):
    """The training of one CNN written out with torch's Adam: the trained model."""
    model, plan = NETWORKS["cnn"]().double(), engine.Batches.of(len(IMAGES), batch_size)
    parameters = engine.Parameters(model).unflatten(engine.State.initial(model, [seed]).weights[0])
    model.load_state_dict(parameters, strict=False)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for epoch in range(epochs):
        orders, noises = (
            plan.orders([seed], epoch)[:, 0],
            plan.noises([seed], epoch, 3, torch.float64)[:, 0],
        )
        for order, noise in zip(orders, noises, strict=True):
            posterior = model.encode(IMAGES[order])
            distortion = model.distortion(IMAGES[order], posterior.sample(noise)).mean()
            optimiser.zero_grad()
            (distortion + posterior.kl_divergence().mean()).backward()
            optimiser.step()
    return model.eval()


@pytest.mark.parametrize("alone", [True, False])
def test_a_network_with_batch_norm_equals_a_plain_loop(monkeypatch, alone):
    monkeypatch.setattr(engine, "one_by_one", lambda model, device: alone)
    plan = dict(epochs=3, batch_size=8, learning_rate=1e-3)
    space = fit(NETWORKS["cnn"]().double(), IMAGES, replicas=2, seed=[3, 4], compile=False, **plan)
    for m, seed in enumerate((3, 4)):
        expected = batch_norm_loop(seed, **plan)
        for name, buffer in expected.named_buffers():
            assert_close(space.buffers[name][m], buffer)
        assert_close(space.encode(IMAGES)[m], expected.encode(IMAGES).mean)
        assert_close(space.replica(m).encode(IMAGES).mean, expected.encode(IMAGES).mean)
        assert_close(
            space.decode(space.encode(IMAGES))[m], expected.decode(expected.encode(IMAGES).mean)
        )


def test_running_statistics_make_an_example_independent_of_its_batch():
    space = fit(NETWORKS["cnn"]().double(), IMAGES, replicas=2, epochs=2, batch_size=8)
    assert_close(space.encode(IMAGES)[:, :1], space.encode(IMAGES[:1]))
    assert not space.replica(0).training


def test_the_pattern_with_batch_norm_is_left_alone():
    model = NETWORKS["cnn"]()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, IMAGES, replicas=2, epochs=1, batch_size=8)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_anchors_do_not_enter_the_batch_statistics():
    # Anchors of weight 0 are passed through the network and must change nothing.
    points = RosettaPoints(IMAGES[:6].square(), np.random.default_rng(0).standard_normal((6, 3)))
    options = dict(replicas=2, epochs=2, batch_size=8, compile=False)
    plain = fit(NETWORKS["cnn"]().double(), IMAGES, **options)
    anchored = fit_quietly(
        NETWORKS["cnn"]().double(),
        IMAGES,
        points=Weighted(points, x=0.0, z=0.0),
        rho=1.0,
        **options,
    )
    assert_close(anchored.weights, plain.weights)
    for name, buffer in plain.buffers.items():
        assert_close(anchored.buffers[name], buffer)
    pulled = fit_quietly(NETWORKS["cnn"]().double(), IMAGES, points=points, rho=1.0, **options)
    assert (pulled.weights - plain.weights).abs().max() > 1e-3


def test_a_file_without_the_models_running_statistics_is_refused(tmp_path):
    def model(norm):
        decoder = nn.Sequential(nn.Linear(3, 256), nn.Unflatten(1, (1, 16, 16)))
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(256, 6), norm)
        return VAE(encoder, decoder, data_shape=(1, 16, 16), feature_dim=6, latent_dim=3).double()

    fit(model(nn.LayerNorm(6)), IMAGES, epochs=1, batch_size=8, compile=False).save(
        tmp_path / "fit.npz"
    )
    with pytest.raises(
        ValueError,
        match=r"holds no buffers \['encoder.2.running_mean', .* pass the model that it was",
    ):
        Fit.load(tmp_path / "fit.npz", model=model(nn.BatchNorm1d(6)))


# The exact oracle


def worst_gap(space, x, betas):
    """Largest relative excess of distortion + beta * rate over its optimum, the constant D/2 log(2 pi s2) left out."""
    variance, dim = space.model.noise_variance, x.shape[1]
    covariance, gaps = torch.cov(x.double().T, correction=0), []
    for beta in betas:
        model = space.replica(0).at_beta(beta).double()
        posterior, decoder = model.encode(x.double()), model.decoder[0].weight
        spread = (decoder.square() * posterior.log_scale[0].mul(2).exp()).sum()
        error = (x - model.decode(posterior.mean)).square().sum(1).mean()
        loss = (error + spread) / (2 * variance) + beta * posterior.kl_divergence().mean()
        best = linear_vae.optimum(
            covariance, latent_dim=model.latent_dim, beta=beta, noise_variance=variance
        )
        constant = 0.5 * dim * np.log(2 * np.pi * variance)
        gaps.append(float(loss.detach()) / float(best.distortion - constant + beta * best.rate) - 1)
    return max(gaps), min(gaps)


@pytest.mark.slow
def test_a_linear_multi_rate_vae_reaches_the_exact_optimum_at_every_beta():
    x = torch.from_numpy(data.load("digits").x).float().flatten(1)
    x = x - x.mean(0)
    options = dict(epochs=750, batch_size=len(x), learning_rate=Cosine(0.05, warmup_epochs=40))
    gated = make_multirate(VAE.linear(64, 4), gate_speed=1.0)  # at such a learning rate
    space = fit(gated, x, beta=LAW, **options)
    worst, best = worst_gap(space, x, np.geomspace(0.01, 10, 25))
    assert best > -1e-6 and worst < 0.003
    assert closed_share(space.replica(0)) == 0


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda space, x: space.encode(x),
            "a multi-rate model answers at every beta: pass beta=, a number or one per",
        ),
        (lambda space, x: space.decode(x[:, :2]), "a multi-rate model answers at every beta"),
        (lambda space, x: space.evaluate(x), "a multi-rate model answers at every beta"),
        (
            lambda space, x: space.anchor_distance(toy_points()),
            "a multi-rate model answers at every beta",
        ),
        (
            lambda space, x: space.encode(x, beta=torch.ones(3)),
            "beta has 3 entries for 97 examples: pass a number",
        ),
        (lambda space, x: space.evaluate(x, beta=0), "beta must be positive and finite, not 0"),
    ],
)
def test_a_multi_rate_fit_refuses_impossible_betas(call, message):
    space = fit(make_multirate(toy_model()), toy_data(), **short())
    with pytest.raises(ValueError, match=message):
        call(space, toy_data())


@pytest.mark.parametrize("method", ["encode", "reconstruct", "evaluate"])
def test_a_plain_fit_refuses_a_beta(eager, method):
    with pytest.raises(
        ValueError,
        match="beta is for multi-rate models; this model answers at the beta it was trained",
    ):
        getattr(eager, method)(toy_data(), beta=1.0)


@pytest.mark.parametrize(
    ("multirate", "options", "message"),
    [
        (
            True,
            dict(beta=1.0),
            r"this multi-rate model needs beta=LogUniform\(0.01, 10\), its range, not 1.0",
        ),
        (
            True,
            dict(beta=LogUniform(0.1, 10)),
            r"needs beta=LogUniform\(0.01, 10\), its range, not LogUniform\(0.1, 10",
        ),
        (
            True,
            dict(beta=Annealed(1.0)),
            r"needs beta=LogUniform\(0.01, 10\), its range, not Annealed\(share=0.3\)",
        ),
        (
            False,
            {},
            r"beta=LogUniform\(0.01, 10\) is for multi-rate models: pass make_multirate\(model\), or a number",
        ),
        (
            False,
            dict(beta=1.0, points=Weighted(toy_points(), power=0.5), rho=1.0),
            r"Weighted\(power=\) is for multi-rate models: give rho per replica for models of one",
        ),
        (
            False,
            dict(beta=1.0, learning_rate=Cosine(1e-3, warmup_epochs=1)),
            "warmup_epochs must be a whole number below epochs=1, not 1",
        ),
        (
            False,
            dict(beta=1.0, rho=LAW),
            r"rho must be a number or one per replica \(1\), not LogU",
        ),
        (
            False,
            dict(beta=1.0, learning_rate=LAW),
            "learning_rate must be a positive number, not LogU",
        ),
    ],
)
def test_impossible_courses_are_refused(multirate, options, message):
    model = make_multirate(toy_model()) if multirate else toy_model()
    with pytest.raises(ValueError, match=message):
        fit(model, toy_data(), **short(**options))


def test_a_multi_rate_loss_that_is_not_finite_names_the_law():
    x = toy_data().float() * 1e30
    with (
        pytest.warns(UserWarning, match="too far from 1 to train on: subtract the mean"),
        pytest.raises(
            FloatingPointError,
            match=r"epoch 1, replica 0 \(seed 3, beta LogUniform\(0.01, 10\), rho 0\)",
        ),
    ):
        fit(make_multirate(VAE.mlp(5, 2, (8,))), x, seed=[3], **short())
