"""The replica engine: M independent trainings as one, their parameters stacked on a leading axis.

Each replica is a row of parameters with its own initialisation, data order and noise, all drawn from its own seed,
and its own beta and rho.  A replica's numbers do not depend on its neighbours.
Letters: M replicas, N data points, B batch, P parameters of one model, K latent dimension, R Rosetta points.
"""

import contextlib
import copy
import math
import shutil
import types
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from rvae_lite.disentanglement import total_correlation
from rvae_lite.gates import BATCH_NORMS, Gate, standardise
from rvae_lite.losses import beta_loss, rosetta_penalty, total_correlation_loss
from rvae_lite.multirate import is_multirate, responding, responds_to_rho
from rvae_lite.text.model import LSTMCell

TERMS = ("loss", "distortion", "rate", "anchor_x", "anchor_z")
TC_TERMS = (*TERMS, "total_correlation")  # of the objective "beta-TCVAE"
ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8
# What a replica's seed is used for
INITIALISATION, ORDER, NOISE, EVALUATION, RATE, ANCHOR_RATE, RHO, ANCHOR_RHO = range(8)


def generator(seed: int, purpose: int, epoch: int = 0) -> torch.Generator:
    """A CPU random generator that depends on (seed, purpose, epoch) alone, so that training can resume anywhere."""
    state = np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def replica_seeds(seed, replicas: int) -> list[int]:
    """One seed per replica: derived from an integer (the first m do not depend on `replicas`), or as given."""
    whole = isinstance(seed, (int, np.integer))
    given = [seed] if whole or not isinstance(seed, Iterable) else list(seed)
    if not all(isinstance(s, (int, np.integer)) and s >= 0 for s in given):
        raise ValueError(f"seed must be a non-negative integer or one per replica, not {seed!r}")
    if not whole:
        if len(given) != replicas:
            raise ValueError(
                f"seed lists {len(given)} seeds for {replicas} replicas: give one per replica"
            )
        return [int(s) for s in given]
    return [int(np.random.SeedSequence([seed, m]).generate_state(1)[0]) for m in range(replicas)]


class Anchors(NamedTuple):
    """Rosetta points on the device at one step.

    x, z: inputs (R, *data) and latents (R, K).
    x_weight, z_weight: weights of the two terms.
    target: what decode(z) shall be, (R, *data); by default x.
    h, r: standardised log beta, and log rho where it responds to that, at which a multi-rate model meets the points,
        () or (R,).
    weight: of every point, () or (R,), by default 1.

    Where they differ between replicas z, target, h, r and weight have a leading M; `make_step` is told so.
    """

    x: Tensor
    z: Tensor
    x_weight: float = 1.0
    z_weight: float = 1.0
    target: Tensor | None = None
    h: Tensor | None = None
    r: Tensor | None = None
    weight: Tensor | None = None

    def axes(self) -> "Anchors":
        """Which axis of each entry counts replicas, for `vmap`, where they differ between replicas."""
        own = ("z", "target", "h", "r", "weight")
        return Anchors(
            *(
                0 if name in own and value is not None else None
                for name, value in self._asdict().items()
            )
        )

    def of(self, m: int) -> "Anchors":
        """Those of replica m, where they differ between replicas."""
        kept = zip(self, self.axes(), strict=True)
        return Anchors(*(value if axis is None else value[m] for value, axis in kept))


class Objective(nn.Module):
    """One replica's loss on one batch, as a module so that `functional_call` can swap its parameters.

    With `num_data`, N, beta weighs the total correlation in place of the rate.
    """

    def __init__(self, model: nn.Module, *, num_data: int | None = None):
        super().__init__()
        self.model, self.num_data = model, num_data

    def forward(self, x: Tensor, noise: Tensor, beta: Tensor, rho: Tensor, anchors: Anchors | None):
        """The loss and its terms (TERMS or TC_TERMS): x (B, *data), noise (B, noise_dim), beta () or (B,), rho ().

        A model that responds to rho does so at one rho for each example, (B,), or for all; the points have their own.
        What belongs to a rho is then divided by 1 + rho, which changes no optimum: undivided, high rhos rule all.
        """
        h = standardise(beta, self.model.beta_range) if is_multirate(self.model) else None
        r = standardise(rho, self.model.rho_range) if responds_to_rho(self.model) else None
        with responding(self.model, h, r) as model:
            # -log p(x|z) at one sample of q(z|x), and KL(q(z|x) || N(0, I))
            distortion, rate, *correlation = self._parts(model, x, noise)
        share = None if r is None else 1 / (1 + rho)
        return self._loss(distortion, rate, correlation, beta, rho, anchors, share)

    def _parts(self, model: nn.Module, x: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """Distortion and rate, each (B,), and with `num_data` the batch's total correlation, ()."""
        if self.num_data is None:
            return model.distortion_and_rate(x, noise)
        posterior = model.encode(x)
        z = posterior.sample(noise)
        correlation = total_correlation(z, *posterior, num_data=self.num_data)
        return model.distortion(x, z), posterior.kl_divergence(), correlation

    def _loss(
        self,
        distortion: Tensor,
        rate: Tensor,
        correlation: list,
        beta: Tensor,
        rho: Tensor,
        anchors,
        share,
    ):
        means = distortion.mean(), rate.mean()
        if correlation:
            loss = total_correlation_loss(*means, *correlation, beta=beta)
        else:
            loss = (
                beta_loss(distortion, rate, beta=beta)
                if beta.ndim
                else beta_loss(*means, beta=beta)
            )
        loss = (loss if share is None else share * loss).mean()
        if anchors is None:
            nothing = torch.zeros_like(loss)
            return loss, torch.stack([loss, *means, nothing, nothing, *correlation]).detach()
        with running_statistics(self.model), responding(self.model, anchors.h, anchors.r) as model:
            recon = model.decode(anchors.z)
            mean = model.encode(anchors.x).mean
        target = anchors.x if anchors.target is None else anchors.target
        anchor_x, anchor_z = rosetta_penalty(recon, target, mean, anchors.z, weight=anchors.weight)
        penalty = anchors.x_weight * anchor_x + anchors.z_weight * anchor_z
        loss = loss + (
            rho * penalty if share is None else penalty
        )  # with a share, rho is in the points' weights
        return loss, torch.stack([loss, *means, anchor_x, anchor_z, *correlation]).detach()


@contextlib.contextmanager
def running_statistics(model: nn.Module):
    """Inside the block, batch norms use their running statistics and leave them alone."""
    norms = [layer for layer in model.modules() if type(layer) in BATCH_NORMS and layer.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True


class Parameters:
    """Translates between a module's parameters and one row of P numbers."""

    def __init__(self, module: nn.Module):
        named = list(module.named_parameters())
        self.names = [name for name, _ in named]
        self.shapes = [parameter.shape for _, parameter in named]
        self.sizes = [parameter.numel() for _, parameter in named]

    def row(self, module: nn.Module) -> Tensor:
        """The module's parameters as (P,)."""
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    def unflatten(self, row: Tensor) -> dict[str, Tensor]:
        """A row (P,) as named parameters."""
        pieces = zip(self.names, row.split(self.sizes), self.shapes, strict=True)
        return {name: piece.view(shape) for name, piece, shape in pieces}

    def learning_rates(self, module: nn.Module, *, gate_speed: float) -> Tensor | float:
        """What Adam's learning rate is multiplied by, (P,), or 1 throughout.

        `gate_speed` for sigmoid and sqrt gates; FiLM, which nothing bounds, served best at the speed of the rest.
        """
        gates = [
            name
            for name, layer in module.named_modules()
            if isinstance(layer, Gate) and layer.kind != "film"
        ]
        if gate_speed == 1 or not gates:
            return 1.0
        each = [
            (size, name.rpartition(".")[0] in gates)
            for name, size in zip(self.names, self.sizes, strict=True)
        ]
        return torch.cat(
            [torch.full((size,), gate_speed if gated else 1.0) for size, gated in each]
        )


def initial_rows(model: nn.Module, seeds: list[int]) -> Tensor:
    """A freshly initialised row of parameters for each seed: (M, P) on the CPU."""
    module, layout = copy.deepcopy(model).cpu(), Parameters(model)
    return torch.stack([layout.row(_reinitialise(module, seed)) for seed in seeds])


def initial_buffers(model: nn.Module, seeds: list[int]) -> dict[str, Tensor]:
    """The buffers, such as a batch norm's running statistics, of such models: names and (M, *shape) on the CPU."""
    names = [name for name, _ in model.named_buffers()]
    if not names:
        return {}
    module = copy.deepcopy(model).cpu()
    copies = [copy.deepcopy(dict(_reinitialise(module, seed).named_buffers())) for seed in seeds]
    return {name: torch.stack([buffers[name] for buffers in copies]) for name in names}


def _reinitialise(module: nn.Module, seed: int) -> nn.Module:
    # Layers draw from torch's global generator: it is forked, so that the caller's stream is left alone.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(generator(seed, INITIALISATION).initial_seed())
        for name, layer in module.named_modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise ValueError(
                    f"layer {name!r} ({type(layer).__name__}) needs a reset_parameters() method"
                )
    return module


class EpochPlan(NamedTuple):
    """How an epoch of N examples is cut into equal batches, at most as large as asked for.

    At most `num_batches - 1` examples sit out an epoch, others in each.
    """

    num_data: int
    num_batches: int
    batch_size: int

    @classmethod
    def of(cls, num_data: int, batch_size: int) -> "EpochPlan":
        """The plan for N examples and batches of at most `batch_size`."""
        num_batches = math.ceil(num_data / batch_size)
        return cls(num_data, num_batches, num_data // num_batches)

    def orders(self, seeds: list[int], epoch: int) -> Tensor:
        """Which examples each replica sees: (num_batches, M, B)."""
        permutations = [
            torch.randperm(self.num_data, generator=generator(seed, ORDER, epoch)) for seed in seeds
        ]
        used = torch.stack(permutations)[:, : self.num_batches * self.batch_size]
        return used.view(len(seeds), self.num_batches, self.batch_size).transpose(0, 1).contiguous()

    def noises(self, seeds: list[int], epoch: int, noise_dim: int, dtype: torch.dtype) -> Tensor:
        """Standard normal noise for the posterior samples: (num_batches, M, B, noise_dim)."""
        shape = (self.num_batches, self.batch_size, noise_dim)
        draws = [
            torch.randn(shape, generator=generator(seed, NOISE, epoch), dtype=dtype)
            for seed in seeds
        ]
        return torch.stack(draws, dim=1)

    def drawn(
        self, law, seeds: list[int], epoch: int, *, purpose: int, count: int | None
    ) -> Tensor:
        """beta or rho by a `LogUniform` law, float64: one per batch, (num_batches, M), or `count`, (..., M, count)."""
        shape = (self.num_batches,) if count is None else (self.num_batches, count)
        draws = [
            torch.rand(shape, generator=generator(seed, purpose, epoch), dtype=torch.float64)
            for seed in seeds
        ]
        return (math.log(law.low) + math.log(law.high / law.low) * torch.stack(draws, dim=1)).exp()


class Adam(NamedTuple):
    """Adam's two moments for every replica, each (M, P)."""

    first: Tensor
    second: Tensor


def make_step(
    model: nn.Module,
    *,
    compiled: bool,
    num_data: int | None = None,
    anchor_axes: Anchors | None = None,
):
    """The training step of all replicas: it updates rows, buffers and moments in place, returns the terms (5, M).

    num_data: N where the objective is "beta-TCVAE", see `Objective`; the terms are then (6, M).
    anchor_axes: `Anchors.axes()` where the anchors differ between replicas.

    Bias corrections come in as tensors: a Python number would recompile the step, a 0-dim counter updated inside the
    compiled graph has been computed wrongly by PyTorch.
    """
    objective, layout = (
        Objective(copy.deepcopy(model).train(), num_data=num_data),
        Parameters(model),
    )

    def replica_loss(row, buffers, x, noise, beta, rho, anchors):
        buffers = {
            name: buffer.clone() for name, buffer in buffers.items()
        }  # batch norms write into theirs
        named = {
            f"model.{name}": value for name, value in (layout.unflatten(row) | buffers).items()
        }
        loss, terms = functional_call(objective, named, (x, noise, beta, rho, anchors))
        return loss, (terms, buffers)

    batched = vmap(
        grad_and_value(replica_loss, has_aux=True), in_dims=(0, 0, 0, 0, 0, 0, anchor_axes)
    )

    def gradient(rows, buffers, x, noise, beta, rho, anchors):
        if compiled or len(rows) > 1:
            gradients, (_, (terms, changed)) = batched(rows, buffers, x, noise, beta, rho, anchors)
            return gradients, terms, changed
        row = (
            rows[0].detach().requires_grad_()
        )  # a single replica needs no vmap: the same sums, half the time
        own = {name: buffer[0] for name, buffer in buffers.items()}
        first = anchors if anchor_axes is None else anchors.of(0)
        loss, (terms, changed) = replica_loss(row, own, x[0], noise[0], beta[0], rho[0], first)
        return torch.autograd.grad(loss, row)[0].unsqueeze(0), terms.unsqueeze(0), changed

    def step(rows, buffers, moments, x, noise, beta, rho, anchors, step_size, second_correction):
        gradients, terms, changed = gradient(rows, buffers, x, noise, beta, rho, anchors)
        with torch.no_grad():
            for name, buffer in buffers.items():
                buffer.copy_(changed[name])
            moments.first.mul_(ADAM_BETA1).add_(gradients, alpha=1 - ADAM_BETA1)
            moments.second.mul_(ADAM_BETA2).addcmul_(gradients, gradients, value=1 - ADAM_BETA2)
            denominator = (
                (moments.second * second_correction).sqrt_().add_(ADAM_EPSILON).div_(step_size)
            )
            rows.addcdiv_(moments.first, denominator, value=-1)
        return terms.transpose(0, 1)

    if not compiled:
        return step
    # PyTorch limits recompilations per code object: a copy gives each training a count, and a cache, of its own.
    own = types.FunctionType(
        step.__code__.replace(), step.__globals__, "step", None, step.__closure__
    )
    return torch.compile(own, dynamic=False, fullgraph=True)


def adam_corrections(step_number: int, learning_rate, like: Tensor) -> tuple[Tensor, Tensor]:
    """Adam's step size, () or (P,) like `learning_rate`, and its second-moment correction, (), at a step from 1 on."""
    step_size = learning_rate / (1 - ADAM_BETA1**step_number)
    correction = 1 / (1 - ADAM_BETA2**step_number)
    return torch.as_tensor(step_size, dtype=like.dtype, device=like.device), like.new_tensor(
        correction
    )


def compiler_available(device: torch.device) -> bool:
    """Whether torch.compile can work here: a C++ compiler for the CPU, Triton for CUDA."""
    import importlib.util
    import os

    if device.type == "cuda":
        return importlib.util.find_spec("triton") is not None
    return any(
        shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++", "cl") if name
    )


def one_by_one(model: nn.Module, device: torch.device) -> bool:
    """Whether replicas are better off one after the other than side by side: on a CPU, convolutions and LSTMs are."""
    kinds = (nn.modules.conv._ConvNd, LSTMCell)
    return device.type == "cpu" and any(isinstance(layer, kinds) for layer in model.modules())


def compiles_slowly(model: nn.Module) -> bool:
    """Whether compiling takes minutes: every step of an LSTM over time becomes a piece of the compiled graph."""
    return any(isinstance(layer, LSTMCell) for layer in model.modules())


def to_units(batch: Tensor, like: Tensor) -> Tensor:
    """A batch on `like`'s device and in its dtype; uint8 is divided by 255, tokens (int64) stay as they are."""
    if batch.dtype == torch.int64:
        return batch.to(like.device)
    scaled = batch.to(like.device).to(like.dtype)
    return scaled / 255 if batch.dtype == torch.uint8 else scaled


def blocks(replicas: int, largest: int) -> list[slice]:
    """Cut M replicas into blocks of at most `largest`, of one size where a divisor allows it."""
    sizes = [
        size for size in range(min(largest, replicas), largest // 2, -1) if replicas % size == 0
    ]
    size = sizes[0] if sizes else -(-replicas // -(-replicas // largest))
    return [slice(start, min(start + size, replicas)) for start in range(0, replicas, size)]
