"""`Fit`: M trained replicas of one model, ready to encode, decode, compare and save.

Letters: M replicas, N data points, B batch, K latent dimension, P parameters of one model, T terms
of a loss; `*data` is one example's shape.
"""

import copy
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap

from rvae_lite import engine
from rvae_lite.arrays import named
from rvae_lite.checkpoints import info_of, read_fit, save_fit
from rvae_lite.models import checks
from rvae_lite.models.likeness import name_problems
from rvae_lite.multirate import is_multirate, responding
from rvae_lite.objective import TERMS
from rvae_lite.rosetta import RosettaPoints

CHUNK = 1024  # examples encoded or decoded at once


class Evaluation(NamedTuple):
    """Means over the examples, each (M,) float64.

    distortion, rate: in nats, from one posterior sample per example.
    squared_error: |x - decode(mean(x))|^2 summed over dimensions, in squared units of the data.
    """

    distortion: np.ndarray
    rate: np.ndarray
    squared_error: np.ndarray

    def loss(self, beta: float = 1.0) -> np.ndarray:
        """distortion + beta * rate; at beta = 1 the negative ELBO."""
        return self.distortion + beta * self.rate


@dataclass(eq=False, repr=False)
class Fit:
    """M trained replicas of one model.

    Multi-rate models need a beta, one number or one per example, (N,); plain ones refuse it.

    Attributes:
        model: the pattern; `replica(m)` gives a trained copy.
        weights: parameters, (M, P), on the CPU.
        buffers: running statistics and the like by name, each (M, *shape), on the CPU.
        seeds, beta, rho: one per replica; beta is NaN for a multi-rate model.
        terms: the history: name of a term of the loss -> its value in every epoch, (epochs, M), in
            nats, the anchors' in squared units.
        info: how it was trained: epochs, batches, engine, device, seconds, names of columns.
    """

    model: nn.Module
    weights: Tensor
    _: KW_ONLY
    buffers: dict[str, Tensor]
    seeds: list[int]
    beta: np.ndarray
    rho: np.ndarray
    terms: dict[str, np.ndarray]
    info: dict

    def __post_init__(self):
        self.model.eval()
        self.beta, self.rho, self.seeds = np.asarray(self.beta), np.asarray(self.rho), [*self.seeds]
        self.buffers, self.terms, self.info = dict(self.buffers), dict(self.terms), dict(self.info)
        self._parameters = engine.Parameters(self.model)

    @classmethod
    def of(cls, model: nn.Module, trainer: engine.Trainer, state: engine.State, *, seconds):
        """The result of a training."""
        history = np.stack(state.history)  # (epochs, T, M)
        names = (*TERMS, *trainer.loss.objective.extra)
        return cls(
            copy.deepcopy(model).cpu(),
            state.weights.cpu(),
            buffers={name: buffer.cpu() for name, buffer in state.buffers.items()},
            seeds=trainer.seeds,
            beta=trainer.beta.numpy(),
            rho=trainer.rho.numpy(),
            terms={name: history[:, i] for i, name in enumerate(names)},
            info=info_of(trainer, seconds=seconds),
        )

    def __repr__(self) -> str:
        kind = type(self.model).__name__
        return f"Fit({len(self)} replicas of {kind}, {self.num_epochs} epochs)"

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def num_epochs(self) -> int:
        """How many epochs it was trained for."""
        return len(self.terms["loss"])

    def select(self, replicas: Sequence[int]) -> "Fit":
        """A Fit of some replicas, by their positions or a mask such as `fit.rho > 0`."""
        index = np.arange(len(self))[np.asarray(replicas)].tolist()
        return replace(
            self,
            weights=self.weights[index],
            buffers={name: buffer[index] for name, buffer in self.buffers.items()},
            seeds=[self.seeds[m] for m in index],
            beta=self.beta[index],
            rho=self.rho[index],
            terms={name: values[:, index] for name, values in self.terms.items()},
        )

    def replica(self, m: int) -> nn.Module:
        """Replica m as an ordinary module in eval mode."""
        module = copy.deepcopy(self.model)
        module.load_state_dict(self._parameters.unflatten(self.weights[m]), strict=False)
        for name, buffer in module.named_buffers():
            buffer.copy_(self.buffers[name][m])
        return module.eval()

    def at_beta(self, beta: float) -> "Fit":
        """The plain replicas that multi-rate ones are at one beta."""
        checks.check_beta_given(beta, gated=is_multirate(self.model))
        plain = [self.replica(m).at_beta(beta) for m in range(len(self))]
        layout, named = engine.Parameters(plain[0]), [dict(m.named_buffers()) for m in plain]
        return replace(
            self,
            model=plain[0],
            weights=torch.stack([layout.flatten(module) for module in plain]),
            buffers={name: torch.stack([own[name] for own in named]) for name in named[0]},
            beta=np.full(len(self), float(beta)),
        )

    @property
    def history(self):
        """The terms of the loss as a pandas DataFrame, a row per epoch and replica, see `terms`."""
        import pandas as pd

        table = dict(epoch=np.repeat(np.arange(1, self.num_epochs + 1), len(self)))
        own = dict(replica=np.arange(len(self)), beta=self.beta, rho=self.rho)
        table |= {name: np.tile(values, self.num_epochs) for name, values in own.items()}
        table |= {name: values.ravel() for name, values in self.terms.items()}
        return pd.DataFrame(table)

    def encode(self, x, *, beta=None) -> Tensor:
        """Posterior means of x (N, *data) under every replica: (M, N, K), on the CPU."""
        return self._map(lambda model, x: model.encode(x).mean, self._examples(x), beta=beta)

    def decode(self, z, *, beta=None) -> Tensor:
        """The likelihood's mean at z, (N, K) for all or (M, N, K), one set each: (M, N, *data)."""
        z = checks.check_latents("z", z, self.model.latent_dim, replicas=len(self))
        return self._map(lambda model, z: model.decode(z), z, own=z.ndim == 3, beta=beta)

    def reconstruct(self, x, *, beta=None) -> Tensor:
        """decode(mean(x)): x (N, *data) gives (M, N, *data)."""
        return self.decode(self.encode(x, beta=beta), beta=beta)

    def sample(self, noise, *, beta=None) -> Tensor:
        """The likelihood's mean at draws from the prior: noise (N, K) gives (M, N, *data)."""
        noise = checks.check_latents("noise", noise, self.model.latent_dim)
        sampled = lambda model, z: getattr(model, "sample", model.decode)(z)  # noqa: E731
        return self._map(sampled, noise, beta=beta)

    def evaluate(self, x, *, beta=None, seed: int = 0) -> Evaluation:
        """Distortion, rate and squared error of x (N, *data); replicas sample with one noise."""
        return Evaluation(*self.measure(_terms_per_example, x, beta=beta, seed=seed).T)

    def measure(self, function, x, *, beta=None, seed: int = 0) -> np.ndarray:
        """Means over the examples of what a function says of each: (M, T) float64.

        function: function(model, x (B, *data), noise (B, noise_dim)) -> (B, T).
        seed: of the noise, standard normal, which all replicas share.
        """
        x = self._examples(x)
        shape, random = (len(x), self.model.noise_dim), engine.generator(seed, engine.EVALUATION)
        noise = torch.randn(shape, generator=random, dtype=self.weights.dtype)
        return self._map(function, x, noise, beta=beta).double().mean(1).numpy()

    def anchor_distance(self, points: RosettaPoints, *, beta=None) -> np.ndarray:
        """Mean squared distance of the encoded anchors to their latents / total variance: (M,).

        The latents of curves are those at beta; for plain models at each replica's own.
        """
        means = self.encode(points.x, beta=beta).double().numpy()
        betas = [beta] if beta is not None or points.betas is None else self.beta
        target = np.stack([points.z_at(at) for at in betas]).astype(np.float64)  # (1 or M, R, K)
        variance = np.maximum(target.var(1).sum(-1), 1e-300)
        return np.square(means - target).sum(-1).mean(-1) / variance

    def save(self, path) -> None:
        """Write everything to `path` (.npz), atomically and without pickle."""
        save_fit(path, self)

    @classmethod
    def load(cls, path, *, model: nn.Module | None = None) -> "Fit":
        """Read a saved Fit; `model`, the pattern, is needed where no constructor made it."""
        return cls(**read_fit(path, model))

    def check_names(self, names, shape: tuple) -> list[str]:
        """Doubts about columns that are called `names`, where the training's had names too.

        Raises ValueError where they are the same in another order.
        """
        theirs = self.info.get("names")
        if not isinstance(theirs, list):
            return []
        errors, doubts = name_problems(theirs, names, shape, "training")
        if errors:
            raise ValueError("; ".join(errors))
        return doubts

    def _examples(self, x) -> Tensor:
        checked = checks.check_data(self.model, x, minimum=1)
        self.check_names(named(x).get("names"), tuple(checked.shape[1:]))
        return checked

    def _map(self, function, *inputs: Tensor, own: bool = False, beta=None) -> Tensor:
        """function(model, *batch) for each replica, over chunks of the inputs: (M, N, ...).

        own: each replica has inputs of its own, (M, N, ...); else all have the same, (N, ...).
        """
        checks.check_beta_given(beta, gated=is_multirate(self.model))
        device = self.info.get("device", "cpu") if torch.cuda.is_available() else "cpu"
        weights = self.weights.to(device)
        buffers = {name: buffer.to(device) for name, buffer in self.buffers.items()}
        of_one = partial(self._parameters.call, _Call(self.model, function))
        axis, in_dim = (1, 0) if own else (0, None)
        in_dims = (0, 0, None, *[in_dim] * len(inputs))
        in_turn = engine.one_by_one(self.model, torch.device(device))
        of_all = partial(engine.in_turn, of_one, in_dims) if in_turn else vmap(of_one, in_dims)
        num_data = inputs[0].shape[axis]
        conditions = self._conditions(beta, num_data)
        chunks = zip(*(values.split(CHUNK, dim=axis) for values in inputs), strict=True)
        result = None  # an array for all: pieces that stayed would keep what was freed between them
        with torch.no_grad():
            for start, h, chunk in zip(range(0, num_data, CHUNK), conditions, chunks, strict=True):
                batch = [engine.to_units(values, weights) for values in chunk]
                h = None if h is None else h.to(weights)
                piece = of_all(weights, buffers, h, *batch)
                if result is None:
                    result = piece.new_empty((len(piece), num_data, *piece.shape[2:]), device="cpu")
                result[:, start : start + CHUNK] = piece
        return result

    def _conditions(self, beta, num_data: int) -> list:
        """The standardised log beta of each chunk, () or (B,); None for a plain model."""
        h = None if beta is None else self.model.h(beta)
        if h is None or not h.ndim:
            return [h] * -(-num_data // CHUNK)
        checks.check_one_each(h, num_data)
        return list(h.split(CHUNK))


class Start(NamedTuple):
    """Where a training starts from, for `fit(start=...)`.

    fit: trained replicas of the same model: one for all, or M; None for random weights.
    frozen: submodules whose weights stay as they are, such as ("encoder", "head").
    """

    fit: Fit | None = None
    frozen: tuple[str, ...] = ()

    def check(self, model: nn.Module, replicas: int) -> None:
        """Raises ValueError where a model, or so many replicas of it, cannot start from here."""
        if self.fit is None and self.frozen:
            raise ValueError("frozen layers need weights to start from: pass Start(fit, frozen)")
        if self.fit is None:
            return
        if not isinstance(self.fit, Fit):
            raise ValueError(f"start must be a Fit, or a Start of one, not {self.fit!r}")
        shapes = [(name, each.shape) for name, each in model.named_parameters()]
        own = [(name, each.shape) for name, each in self.fit.model.named_parameters()]
        if shapes != own:
            raise ValueError("start is of another model: pass a Fit of the same network and K")
        if len(self.fit) not in (1, replicas):
            counts = f"{len(self.fit)} replicas for {replicas}"
            raise ValueError(f"start has {counts}: pass one, or one for each")
        known = [name for name, _ in model.named_modules() if name]
        unknown = [name for name in self.frozen if name not in known]
        if unknown:
            raise ValueError(f"frozen names {unknown[0]!r}: the model has {', '.join(known)}")
        for name in self.frozen:
            if next(model.get_submodule(name).buffers(), None) is not None:
                problem = f"{name} keeps running statistics, which training changes"
                raise ValueError(f"frozen: {problem}: freeze layers without batch norms")

    def state(self, model: nn.Module, seeds: list[int], device) -> engine.State:
        """The state before the first step, see `engine.State.initial`."""
        state = engine.State.initial(model, seeds, device)
        if self.fit is not None:
            state.weights.copy_(self.fit.weights)
            for name, buffer in state.buffers.items():
                buffer.copy_(self.fit.buffers[name])
        return state


class _Call(nn.Module):
    """Any function of a model as a module, for `functional_call`."""

    def __init__(self, model: nn.Module, function):
        super().__init__()
        self.model, self.function = model, function

    def forward(self, h, *batch):
        with responding(self.model, h) as model:
            return self.function(model, *batch)


def _terms_per_example(model: nn.Module, x: Tensor, noise: Tensor) -> Tensor:
    """Distortion, rate and squared error of each example: (B, 3)."""
    return torch.stack([*model.distortion_and_rate(x, noise), model.squared_error(x)], dim=-1)
