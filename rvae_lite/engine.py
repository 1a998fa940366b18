"""The replica engine: M independent trainings as one, their parameters stacked on a leading axis.

Each replica has its own seed, beta and rho; its numbers do not depend on its neighbours.
Letters: M replicas, N data points, B batch, P parameters of one model, T terms of the loss.
"""

import copy
import math
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from rvae_lite.arrays import is_whole
from rvae_lite.checks import listed_seeds, one_by_one
from rvae_lite.gates import Gate
from rvae_lite.laws import Annealed, Constant, Cosine, LogUniform, drawn_from
from rvae_lite.objective import Anchors, Batch, ReplicaLoss

LARGEST_BLOCK, LARGEST_EAGER_BLOCK, LARGEST_BATCH = 10, 40, 2**22  # replicas, their numbers on CPU
ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8
# What a replica's seed is used for.  The numbers are part of every result.
INITIALISATION, ORDER, NOISE, EVALUATION, RATE, ANCHOR_RATE = range(6)


def generator(seed: int, purpose: int, epoch: int = 0) -> torch.Generator:
    """A CPU generator that depends on (seed, purpose, epoch) alone, so that training can resume."""
    state = np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def replica_seeds(seed, replicas: int) -> list[int]:
    """One seed per replica: as listed, or derived from (seed, m) where seed is an integer."""
    if not is_whole(seed) or seed < 0:
        return listed_seeds(seed, replicas)
    sequences = [np.random.SeedSequence([seed, m]) for m in range(replicas)]
    return [int(sequence.generate_state(1)[0]) for sequence in sequences]


class Parameters:
    """Translates between a model's parameters and a vector of P numbers."""

    def __init__(self, module: nn.Module):
        named = list(module.named_parameters())
        self.names = [name for name, _ in named]
        self.shapes = [parameter.shape for _, parameter in named]
        self.sizes = [parameter.numel() for _, parameter in named]

    def flatten(self, module: nn.Module) -> Tensor:
        """The module's parameters as (P,)."""
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    def unflatten(self, weights: Tensor) -> dict[str, Tensor]:
        """A vector (P,) as named parameters."""
        pieces = zip(self.names, weights.split(self.sizes), self.shapes, strict=True)
        return {name: piece.view(shape) for name, piece, shape in pieces}

    def call(self, module: nn.Module, weights: Tensor, buffers: dict[str, Tensor], *inputs):
        """Call a module whose attribute `model` has these weights, (P,), and buffers."""
        named = self.unflatten(weights) | buffers
        of_module = {f"model.{name}": value for name, value in named.items()}
        return functional_call(module, of_module, inputs)

    def speeds(self, module: nn.Module, frozen: Sequence[str] = ()) -> Tensor | float:
        """What Adam's step is multiplied by, (P,): a gate's speed, 0 where frozen, or 1."""
        layers = [module.get_submodule(name.rpartition(".")[0]) for name in self.names]
        each = [layer.speed if isinstance(layer, Gate) else 1.0 for layer in layers]
        held = tuple(f"{layer}." for layer in frozen)
        pairs = zip(self.names, each, strict=True)
        each = [0.0 if name.startswith(held) else speed for name, speed in pairs]
        if set(each) <= {1}:
            return 1.0
        return torch.tensor(each).repeat_interleave(torch.tensor(self.sizes))


def _reinitialise(module: nn.Module, seed: int) -> None:
    # Layers draw from torch's global generator.  The fork leaves the caller's state alone.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(generator(seed, INITIALISATION).initial_seed())
        for name, layer in module.named_modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            elif next(layer.parameters(recurse=False), None) is not None:
                kind = type(layer).__name__
                raise ValueError(f"layer {name!r} ({kind}) needs a reset_parameters() method")


class Batches(NamedTuple):
    """An epoch of N examples in equal batches; at most `num_batches - 1` examples sit it out."""

    num_data: int
    num_batches: int
    batch_size: int

    @classmethod
    def of(cls, num_data: int, batch_size: int) -> "Batches":
        """Batches of at most `batch_size` for N examples."""
        num_batches = math.ceil(num_data / batch_size)
        return cls(num_data, num_batches, num_data // num_batches)

    def orders(self, seeds: list[int], epoch: int) -> Tensor:
        """Which examples each replica sees: (num_batches, M, B)."""
        generators = [generator(seed, ORDER, epoch) for seed in seeds]
        shuffled = torch.stack([torch.randperm(self.num_data, generator=g) for g in generators])
        used = shuffled[:, : self.num_batches * self.batch_size]
        return used.view(len(seeds), self.num_batches, -1).transpose(0, 1).contiguous()

    def noises(self, seeds: list[int], epoch: int, noise_dim: int, dtype: torch.dtype) -> Tensor:
        """Standard normal noise for the posterior samples: (num_batches, M, B, noise_dim)."""
        shape = (self.num_batches, self.batch_size, noise_dim)
        generators = [generator(seed, NOISE, epoch) for seed in seeds]
        return torch.stack([torch.randn(shape, generator=g, dtype=dtype) for g in generators], 1)

    def draw(self, law: LogUniform, seeds: list[int], epoch: int, purpose: int, count: int):
        """Betas by a law, float64: (num_batches, M, count), or one a batch, (num_batches, M)."""
        shape = (self.num_batches, count) if law.per == "example" else (self.num_batches,)
        generators = [generator(seed, purpose, epoch) for seed in seeds]
        draws = [torch.rand(shape, generator=g, dtype=torch.float64) for g in generators]
        return law.quantile(torch.stack(draws, dim=1))


class State(NamedTuple):
    """Everything that a training changes.

    weights: parameters, (M, P); first, second: Adam's moments, (M, P).
    buffers: name -> (M, *shape); history: the mean terms of every epoch, (T, M) float64.
    """

    weights: Tensor
    buffers: dict[str, Tensor]
    first: Tensor
    second: Tensor
    history: list

    @classmethod
    def initial(cls, model: nn.Module, seeds: list[int], device="cpu") -> "State":
        """The state before the first step: every replica is initialised from its own seed."""
        module, layout = copy.deepcopy(model).cpu(), Parameters(model)
        weights, buffers = [], {name: [] for name, _ in model.named_buffers()}
        for seed in seeds:
            _reinitialise(module, seed)
            weights.append(layout.flatten(module))
            for name, buffer in module.named_buffers():
                buffers[name].append(buffer.clone())
        weights = torch.stack(weights).to(device)
        buffers = {name: torch.stack(each).to(device) for name, each in buffers.items()}
        return cls(weights, buffers, torch.zeros_like(weights), torch.zeros_like(weights), [])

    def of(self, block: slice) -> "State":
        """Some of the replicas, as views: a step on them changes this state."""
        buffers = {name: buffer[block] for name, buffer in self.buffers.items()}
        return State(self.weights[block], buffers, self.first[block], self.second[block], [])


@dataclass
class Trainer:
    """Runs epochs: block by block of replicas, batch by batch.

    loss: of one replica, in training mode; seeds: one per replica.
    x: data on the training's device, (N, *data); lengths: how batches are drawn from them.
    batches, epochs: the length of the training; law, learning_rate: of beta, of Adam's step.
    beta, rho: each replica's numbers, (M,); beta is NaN where it is drawn.
    anchoring: how batches meet the Rosetta points, an `anchors.Anchoring`, or None.
    frozen: submodules whose weights stay as they start.
    compiled: whether to compile the step; "auto" goes on without where the compiler fails.
    """

    loss: ReplicaLoss
    x: Tensor
    lengths: object
    seeds: list[int]
    batches: Batches
    epochs: int
    law: LogUniform | Annealed | Constant
    beta: Tensor
    rho: Tensor
    learning_rate: Cosine | Constant
    anchoring: object
    frozen: Sequence[str]
    compiled: bool | str

    def __post_init__(self):
        self.may_fall_back = self.compiled == "auto"
        self.step = self._make_step()
        model, device = self.loss.model, self.x.device
        speeds = Parameters(model).speeds(model, self.frozen)
        self.speeds = speeds if isinstance(speeds, float) else speeds.to(device)
        # Tensors of 32 MB and more take their memory from the system anew at each step.
        fitting = LARGEST_BATCH // (self.batches.batch_size * self.x[0].numel())
        largest = LARGEST_BLOCK if self.compiled else max(min(LARGEST_EAGER_BLOCK, fitting), 1)
        if one_by_one(model, device):
            largest = 1
        elif device.type != "cpu":
            largest = len(self.seeds)
        self.blocks = blocks(len(self.seeds), largest)

    def _make_step(self):
        axes = self.anchoring and self.anchoring.axes()
        return make_step(self.loss, compiled=bool(self.compiled), anchor_axes=axes)

    def run_epoch(self, state: State, epoch: int) -> np.ndarray:
        """Train for one epoch, in place.  The mean terms over its batches: (T, M) float64."""
        parts = [self._run_block(state.of(block), epoch, block) for block in self.blocks]
        return np.concatenate(parts, axis=1)

    def _run_block(self, state: State, epoch: int, block: slice) -> np.ndarray:
        total = 0.0
        factors = self._factors(self.learning_rate, epoch)
        drawn = zip(factors, self._batches(state.weights, epoch, block), strict=True)
        for number, (factor, batch) in enumerate(drawn, start=epoch * len(factors) + 1):
            learning_rate = self.speeds * (self.learning_rate.value * factor)
            corrections = adam_corrections(number, learning_rate, state.weights)
            total = total + self._take_step(state, batch, *corrections).double()
        return (total / len(factors)).cpu().numpy()

    def _factors(self, law, epoch: int) -> list[float]:
        """What a law's value is multiplied by at each step of an epoch."""
        count = self.batches.num_batches
        course = dict(num_steps=self.epochs * count, steps_per_epoch=count)
        return [law.factor(epoch * count + i, **course) for i in range(1, count + 1)]

    def _batches(self, like: Tensor, epoch: int, block: slice) -> Iterator[Batch]:
        """The batches of an epoch for a block of replicas; each tensor has a leading axis M."""
        seeds, device = self.seeds[block], self.x.device
        orders = self.lengths.regroup(self.batches.orders(seeds, epoch), epoch).to(device)
        noises = self.batches.noises(seeds, epoch, self.loss.model.noise_dim, like.dtype)
        betas, rho = self._betas(seeds, epoch, block, like), self.rho[block].to(like)
        annealing = self._factors(self.law, epoch)
        anchors = [None] * self.batches.num_batches
        if self.anchoring is not None:
            anchors = self.anchoring.of_epoch(self.batches, seeds, epoch, block)
        drawn = zip(orders, noises.to(device), betas, annealing, anchors, strict=True)
        for order, noise, beta, factor, anchor in drawn:
            examples = self.lengths.take(self.x, order, cut=not self.compiled)
            yield Batch(to_units(examples, like), noise, beta, beta * factor, rho, anchor)

    def _betas(self, seeds: list[int], epoch: int, block: slice, like: Tensor) -> list[Tensor]:
        """beta of each batch of an epoch: (M,), or (M, B) where every example has its own."""
        if (law := drawn_from(self.law)) is None:
            return [self.beta[block].to(like)] * self.batches.num_batches
        return list(self.batches.draw(law, seeds, epoch, RATE, self.batches.batch_size).to(like))

    def _take_step(self, *arguments) -> Tensor:
        if self.may_fall_back:
            self.may_fall_back = False
            try:
                return self.step(*arguments)
            except torch._dynamo.exc.TorchDynamoException:  # raised before anything was computed
                self.compiled = False
                self.step = self._make_step()
        return self.step(*arguments)


def make_step(loss: ReplicaLoss, *, compiled: bool, anchor_axes: Anchors | None = None):
    """The training step of all replicas: step(state, batch, step_size, correction) -> terms (T, M).

    A step changes the state's tensors in place.  loss: of one replica, in training mode;
    anchor_axes: `Anchors.axes()` where the anchors differ between replicas.
    """
    layout = Parameters(loss.model)

    def replica_loss(weights: Tensor, buffers: dict, batch: Batch):
        changed = {name: buffer.clone() for name, buffer in buffers.items()}  # by batch norms
        value, terms = layout.call(loss, weights, changed, batch)
        return value, (terms, changed)

    in_dims = (0, 0, Batch(0, 0, 0, 0, 0, anchor_axes))
    to_compile = vmap(grad_and_value(replica_loss, has_aux=True), in_dims=in_dims)

    def gradients_of_all(weights: Tensor, *rest):
        if compiled:
            gradients, (_, (terms, changed)) = to_compile(weights, *rest)
            return gradients, terms, changed
        weights = weights.detach().requires_grad_()
        if len(weights) > 1:
            losses, (terms, changed) = vmap(replica_loss, in_dims=in_dims)(weights, *rest)
        else:  # a single replica needs no vmap: the same sums in half the time
            losses, (terms, changed) = replica_loss(*pick((weights, *rest), in_dims, 0))
        gradients = torch.autograd.grad(losses.sum(), weights)[0]
        return gradients, terms.detach().view(len(weights), -1), changed

    def step(state: State, batch: Batch, step_size: Tensor, correction: Tensor) -> Tensor:
        gradients, terms, changed = gradients_of_all(state.weights, state.buffers, batch)
        with torch.no_grad():
            for name, buffer in state.buffers.items():
                buffer.copy_(changed[name])
            _adam(state, gradients, step_size, correction)
        return terms.transpose(0, 1)

    if not compiled:
        return step
    # PyTorch limits recompilations per code object: a copy gives each training a cache of its own.
    own = types.FunctionType(step.__code__.replace(), step.__globals__, closure=step.__closure__)
    return torch.compile(own, dynamic=False, fullgraph=True)


def _adam(state: State, gradients: Tensor, step_size: Tensor, correction: Tensor) -> None:
    state.first.mul_(ADAM_BETA1).add_(gradients, alpha=1 - ADAM_BETA1)
    state.second.mul_(ADAM_BETA2).addcmul_(gradients, gradients, value=1 - ADAM_BETA2)
    root = (state.second * correction).sqrt_().add_(ADAM_EPSILON)
    state.weights.addcdiv_(state.first, root.div_(step_size), value=-1)


def adam_corrections(number: int, learning_rate, like: Tensor) -> tuple[Tensor, Tensor]:
    """Adam's step size, () or (P,), and its second-moment correction, (), at a step counted from 1.

    They are tensors: Python numbers would have every step compiled anew.
    """
    step_size = learning_rate / (1 - ADAM_BETA1**number)
    step_size = torch.as_tensor(step_size, dtype=like.dtype, device=like.device)
    return step_size, like.new_tensor(1 / (1 - ADAM_BETA2**number))


def pick(values, axes, m: int):
    """What replica m has of values with `vmap`'s axes: 0 for a leading axis M, None if shared."""
    if axes is None:
        return values
    if isinstance(values, Tensor):
        return values[m]
    if isinstance(values, dict):
        return {name: value[m] for name, value in values.items()}
    own = [pick(value, axis, m) for value, axis in zip(values, axes, strict=True)]
    return type(values)(*own) if hasattr(values, "_fields") else own


def in_turn(call, axes, *arguments) -> Tensor:
    """What `vmap(call, axes)(*arguments)` gives, one replica after the other."""
    count = len(arguments[0])
    return torch.stack([call(*pick(arguments, axes, m)) for m in range(count)])


def to_units(batch: Tensor, like: Tensor) -> Tensor:
    """A batch as `like` is kept; uint8 is divided by 255, tokens stay integers."""
    if batch.dtype == torch.int64:
        return batch.to(like.device)
    scaled = batch.to(like.device).to(like.dtype)
    return scaled / 255 if batch.dtype == torch.uint8 else scaled


def blocks(replicas: int, largest: int) -> list[slice]:
    """Cut M replicas into blocks of at most `largest`, of one size where a divisor allows it."""
    sizes = range(min(largest, replicas), largest // 2, -1)
    fewest = -(-replicas // largest)
    size = next((size for size in sizes if replicas % size == 0), -(-replicas // fewest))
    return [slice(start, min(start + size, replicas)) for start in range(0, replicas, size)]
