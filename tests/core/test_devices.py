"""Trainings on a device that is not the CPU: nothing is left behind, and a misplaced tensor is found."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from devices import DEVICE, Misplaced, everything_elsewhere
from toy import fit_quietly, toy_data, toy_model, toy_points

from rvae_lite import VAE, Fit, RosettaPoints, anchors, engine, gates, losses, objective
from rvae_lite.anchors import Weighted
from rvae_lite.disentanglement import BetaTCVAE
from rvae_lite.fitted import Start
from rvae_lite.laws import Annealed, Cosine, LogUniform
from rvae_lite.models.ladder import LadderVAE
from rvae_lite.multirate import make_multirate
from rvae_lite.text.model import TextVAE

LAW, BY_BATCH = LogUniform(0.01, 10.0), LogUniform(0.01, 10.0, per="batch")
IMAGES = torch.rand(16, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SHAPE = IMAGES.shape[1:]
TOKENS = np.random.default_rng(0).integers(4, 9, (16, 5))
SHORT = dict(replicas=2, epochs=1, batch_size=8, seed=[3, 4], compile=False)


def curves(*, recon=True):
    """Six points of the toy data whose latents and reconstructions shrink as beta grows."""
    x, betas = toy_data()[::17].numpy(), np.geomspace(0.01, 10, 4)
    shrinking = np.linspace(1, 0.2, 4)[:, None, None]
    return RosettaPoints(
        x, shrinking * x[:, :2], betas=betas, recon=shrinking * x if recon else None
    )


def train(model, x, **options):
    return fit_quietly(model.double(), x, **SHORT | options)


def train_toy(model=toy_model, **options):
    return train(model(), toy_data()[:40], **dict(batch_size=20) | options)


def train_anchored(**options):
    settings = dict(beta=[0.5, 4.0], rho=[0.0, 2.75], points=toy_points())
    return train_toy(**settings | options)


def train_gated(**options):
    gated = make_multirate(toy_model(), **options.pop("gates", {}))
    return train_toy(lambda: gated, **dict(beta=LAW) | options)


def train_frozen():
    first = train_toy(replicas=1, seed=[5])
    return train_toy(start=Start(first, ("encoder",)), learning_rate=Cosine(1e-3))


def train_images(model, **options):
    return train(model, IMAGES, **options)


TRAININGS = dict(
    points=train_anchored,
    one_replica=partial(train_anchored, replicas=1, beta=1.0, rho=1.0, seed=[3]),
    frozen_encoder=train_frozen,
    curves=partial(train_toy, points=curves(), beta=[0.1, 5.0], rho=1.0),
    total_correlation=partial(
        train_toy, objective=BetaTCVAE(), beta=4.0, model=partial(toy_model, posterior="diagonal")
    ),
    convolutions=lambda: train_images(VAE.residual(SHAPE, 2, channels=(2, 4))),
    patches=lambda: train_images(VAE.patch(SHAPE, 2, channels=4, hidden=(8,))),
    ladder=lambda: train_images(LadderVAE(SHAPE, channels=(4, 2), latent_channels=(2, 1))),
    batch_norms=lambda: train_images(VAE.cnn(SHAPE, 2, width=0.03)),
    bernoulli=lambda: train_images(VAE.mlp(SHAPE, 2, (8,), likelihood="bernoulli")),
    linear=lambda: train_toy(lambda: make_multirate(VAE.linear(5, 2)), beta=LAW),
    gates=train_gated,
    gates_by_batch=partial(train_gated, beta=Annealed(BY_BATCH, share=0.5)),
    gates_with_film=partial(train_gated, gates=dict(gate="film")),
    gates_and_points=partial(train_gated, rho=1.0, points=toy_points()),
    gates_and_curves=partial(train_gated, rho=1.0, points=Weighted(curves(), power=0.5)),
    gates_of_convolutions=lambda: train_images(
        make_multirate(VAE.cnn(SHAPE, 2, width=0.03)), beta=LAW
    ),
    sentences=lambda: train(
        TextVAE(num_tokens=9, length=5, latent_dim=2, embedding_dim=3, hidden_dim=4), TOKENS
    ),
)


def data_of(trained):
    """Data that a training's models read."""
    if trained.model.data_shape == SHAPE:
        return IMAGES
    return TOKENS if isinstance(trained.model, TextVAE) else toy_data()


def assert_near(one, other):
    torch.testing.assert_close(
        torch.as_tensor(one), torch.as_tensor(other), rtol=0, atol=1e-9, equal_nan=True
    )


# What is on the device


@pytest.mark.parametrize("name", TRAININGS)
def test_training_and_evaluating_elsewhere_give_the_numbers_of_the_cpu(name):
    def numbers():
        trained = TRAININGS[name]()
        beta = 0.3 if np.isnan(trained.beta).all() else None
        x = data_of(trained)[:9]
        means = trained.encode(x, beta=beta)
        found = dict(trained.buffers, weights=trained.weights, loss=trained.terms["loss"])
        found |= dict(means=means, decoded=trained.decode(means, beta=beta))
        return trained.info["device"], found | trained.evaluate(x, beta=beta)._asdict()

    _, expected = numbers()
    with everything_elsewhere() as transfers:
        device, found = numbers()
    assert device == DEVICE
    assert "to device" in transfers
    assert found.keys() == expected.keys()
    for key, values in found.items():
        assert type(values) in (torch.Tensor, np.ndarray), key
        assert_near(values, expected[key])


def test_a_fit_is_saved_elsewhere_and_read_on_the_cpu(tmp_path):
    with everything_elsewhere():
        trained = train_anchored(checkpoint=tmp_path / "checkpoint.npz")
        trained.save(tmp_path / "fit.npz")
        resumed = train_anchored(checkpoint=tmp_path / "checkpoint.npz", epochs=4)
    read = Fit.load(tmp_path / "fit.npz")
    assert torch.equal(read.weights, trained.weights)
    assert_near(read.encode(toy_data()), train_anchored().encode(toy_data()))
    assert_near(resumed.weights, train_anchored(epochs=4).weights)


def test_an_epoch_waits_for_the_device_once():
    with everything_elsewhere() as transfers:
        train_anchored(epochs=1)
        once = len([each for each in transfers if each != "to device"])
        transfers.clear()
        train_anchored(epochs=6)
    # Those of one epoch are its terms, and then the trained weights and the distance to the points.
    assert len([each for each in transfers if each != "to device"]) == once + 5


# What the device refuses


def on_device(*shape):
    return torch.ones(shape).to(DEVICE)


@pytest.mark.parametrize(
    "call",
    [
        lambda: on_device(2) + torch.ones(2),
        lambda: torch.ones(2).mul_(on_device(2)),
        lambda: torch.ones(()).mul_(on_device()),
        lambda: torch.stack([on_device(2), torch.ones(2)]),
        lambda: torch.stack([on_device(), torch.ones(())]),
        lambda: on_device(2, 2) @ torch.ones(2),
        lambda: on_device(3).index_select(0, torch.tensor([1])),
        lambda: on_device(3)[torch.tensor([1])],
        lambda: torch.where(torch.ones(2) > 0, on_device(2), 0.0),
        lambda: torch.func.vmap(torch.mul)(on_device(3, 2), torch.ones(3, 2)),
        lambda: on_device(2).normal_(generator=torch.Generator()),
        lambda: on_device(2).numpy(),
        lambda: np.asarray(on_device(2)),
    ],
)
def test_what_cuda_refuses_is_refused(call):
    with everything_elsewhere(), pytest.raises(Misplaced):
        call()


def test_gradients_are_on_the_device_and_right():
    with everything_elsewhere():
        weight = on_device(3).requires_grad_()
        loss = (weight.view(3, 1) * torch.arange(3.0).to(DEVICE)).square().sum()
        gradient = torch.autograd.grad(loss, weight)[0]
        assert gradient.device == torch.device(DEVICE)
        assert gradient.tolist() == [10.0, 10.0, 10.0]


def test_numbers_of_the_cpu_may_meet_tensors_of_the_device_as_on_cuda():
    with everything_elsewhere():
        assert (on_device(2) * torch.tensor(3.0)).tolist() == [3.0, 3.0]


# A misplaced tensor is found wherever it is


def cpu(values):
    """Tensors brought to the CPU, where they have no business."""
    return torch.utils._pytree.tree_map_only(torch.Tensor, torch.Tensor.cpu, values)


def left(function):
    """The function with its result left on the CPU."""
    return lambda *arguments, **options: cpu(function(*arguments, **options))


def batch_with_noise(x, noise, *rest):
    return objective.Batch(x, cpu(noise), *rest)


def adam(state, gradients, *rest, original=engine._adam):
    original(state, gradients.cpu(), *rest)


def corrections(number, learning_rate, like, original=engine.adam_corrections):
    step_size, correction = original(number, learning_rate, like)
    return step_size.cpu().expand(like.shape[1]), correction


def nll(x, recon, *, noise_variance):
    variances = torch.full(x.shape[1:], noise_variance, dtype=x.dtype)
    return (0.5 * (x - recon).square() / variances).flatten(1).sum(1)


def loss_of_cpu_rates(distortion, rate, *, beta):
    return losses.beta_loss(distortion, rate.cpu(), beta=beta)


def penalty(*arguments, weight=None):
    weight = torch.ones(len(arguments[0]), dtype=torch.float64)
    return losses.rosetta_penalty(*arguments, weight=weight)


def open_share(self, h):
    factors = torch.nn.functional.pad(self.shared[0].scale(h), (0, 1), value=1.0)
    return math.prod([factors @ pick.double().cpu() for pick in self.picks])


def centred(beta, beta_range):
    return gates.standardise(beta, beta_range) - torch.zeros(1, dtype=torch.float64)


def along_beta(betas, curves, at):
    nodes = betas.log()
    upper = torch.searchsorted(nodes, at.to(nodes).log()).clamp(1, len(nodes) - 1)
    return curves[upper, torch.arange(curves.shape[1])]


WITH_GATES, WITH_CURVES = TRAININGS["gates"], TRAININGS["gates_and_curves"]
FAULTS = {
    "engine.to_units": (left(engine.to_units), train_anchored),
    "engine.Trainer._betas": (left(engine.Trainer._betas), train_anchored),
    "engine.Batch": (batch_with_noise, train_anchored),
    "engine._adam": (adam, train_anchored),
    "engine.adam_corrections": (corrections, train_anchored),
    "models.vae.gaussian_nll": (nll, train_anchored),
    "objective.beta_loss": (loss_of_cpu_rates, WITH_GATES),
    "objective.rosetta_penalty": (penalty, train_anchored),
    "gates.Gate.scale": (left(gates.Gate.scale), WITH_GATES),
    "gates.LatentGate._open": (open_share, WITH_GATES),
    "objective.standardise": (centred, WITH_GATES),
    "anchors.to_units": (left(anchors.to_units), train_anchored),
    "anchors.along_beta": (along_beta, WITH_CURVES),
    "anchors.Anchoring._along": (left(anchors.Anchoring._along), WITH_CURVES),
}


@pytest.mark.parametrize("place", FAULTS)
def test_a_tensor_misplaced_in_a_training_is_found(monkeypatch, place):
    faulty, training = FAULTS[place]
    monkeypatch.setattr(f"rvae_lite.{place}", faulty)
    training()  # the CPU does not mind
    with everything_elsewhere(), pytest.raises(Misplaced, match=f"{DEVICE} met one on the CPU"):
        training()


def test_a_tensor_misplaced_in_an_encoder_is_found(monkeypatch):
    trained = train_anchored()
    with everything_elsewhere():
        on_it = train_anchored()
    monkeypatch.setattr("rvae_lite.engine.to_units", left(engine.to_units))
    trained.encode(toy_data())
    with everything_elsewhere(), pytest.raises(Misplaced):
        on_it.encode(toy_data())
