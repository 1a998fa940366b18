"""`Fit`: M trained replicas of one model, ready to encode, decode, compare and save.

Letters: M replicas, N data points, K latent dimension, P parameters of one model; `*data` one example's shape.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from rvae_lite import engine
from rvae_lite.checks import check_data
from rvae_lite.multirate import build, is_multirate, responding, responds_to_rho
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.storage import load_arrays, save_arrays

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


class Fit:
    """M trained replicas of one model.

    Methods that take beta need it for a multi-rate model, one number or one per example, (N,), and refuse it for a
    plain one.

    Attributes:
        model: the pattern; `replica(m)` gives a trained copy.
        rows: parameters, (M, P), on the CPU.
        buffers: running statistics and the like by name, each (M, *shape), on the CPU.
        seeds, beta, rho: one per replica; beta is NaN for a multi-rate model, rho for one that responds to it.
        terms: history of the loss terms, (epochs, 5, M), see `replicas.TERMS`; 6 with the total correlation.
        info: how it was trained: epochs, batches, engine, device, seconds.
    """

    def __init__(
        self,
        model: nn.Module,
        rows: Tensor,
        *,
        seeds,
        beta,
        rho,
        terms: np.ndarray,
        info: dict,
        buffers=None,
    ):
        self.model, self.rows, self.buffers = model.eval(), rows, buffers or {}
        self.seeds, self.beta, self.rho = list(seeds), np.asarray(beta), np.asarray(rho)
        self.terms, self.info = terms, info
        self._parameters = engine.Parameters(model)

    def __repr__(self) -> str:
        return f"Fit({len(self)} replicas of {type(self.model).__name__}, {len(self.terms)} epochs)"

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, replicas: Sequence[int]) -> "Fit":
        """A Fit of some of the replicas, by their positions or a mask such as `fit.rho > 0`."""
        index = np.arange(len(self))[np.asarray(replicas)].tolist()
        return Fit(
            self.model,
            self.rows[index],
            buffers={name: buffer[index] for name, buffer in self.buffers.items()},
            seeds=[self.seeds[m] for m in index],
            beta=self.beta[index],
            rho=self.rho[index],
            terms=self.terms[:, :, index],
            info=self.info,
        )

    def replica(self, m: int) -> nn.Module:
        """Replica m as an ordinary module in eval mode."""
        module = copy.deepcopy(self.model)
        module.load_state_dict(self._parameters.unflatten(self.rows[m]), strict=False)
        for name, buffer in module.named_buffers():
            buffer.copy_(self.buffers[name][m])
        return module.eval()

    def at_beta(self, beta: float) -> "Fit":
        """The plain replicas that multi-rate ones are at one beta: ordinary models, each equal to `encode(x, beta)`."""
        self._check_beta(beta)
        changed = dict(beta=np.full(len(self), float(beta)))
        return self._read_off(lambda module: module.at_beta(beta), changed)

    def at_rho(self, rho: float) -> "Fit":
        """The multi-rate replicas that those are at one rho whose gates respond to rho too."""
        if not is_multirate(self.model):
            raise ValueError(
                "at_rho is for models that respond to rho: build one with make_multirate(rho_range=)"
            )
        return self._read_off(
            lambda module: module.at_rho(rho), dict(rho=np.full(len(self), float(rho)))
        )

    def _read_off(self, function, changed: dict) -> "Fit":
        plain = [function(self.replica(m)) for m in range(len(self))]
        layout = engine.Parameters(plain[0])
        named = [dict(module.named_buffers()) for module in plain]
        return Fit(
            plain[0],
            torch.stack([layout.row(module) for module in plain]),
            buffers={name: torch.stack([buffers[name] for buffers in named]) for name in named[0]},
            seeds=self.seeds,
            terms=self.terms,
            info=self.info,
            **dict(beta=self.beta, rho=self.rho) | changed,
        )

    @property
    def history(self):
        """A pandas DataFrame, a row per epoch and replica: the loss and its terms, in nats (anchors: squared units)."""
        import pandas as pd

        epochs, num_terms, replicas = self.terms.shape
        table = pd.DataFrame(
            {name: self.terms[:, i].ravel() for i, name in enumerate(engine.TC_TERMS[:num_terms])}
        )
        table.insert(0, "epoch", np.repeat(np.arange(1, epochs + 1), replicas))
        table.insert(1, "replica", np.tile(np.arange(replicas), epochs))
        table.insert(2, "beta", np.tile(self.beta, epochs))
        table.insert(3, "rho", np.tile(self.rho, epochs))
        return table

    def encode(self, x, *, beta=None) -> Tensor:
        """Posterior means of x (N, *data) under every replica: (M, N, K), on the CPU."""
        x = check_data(self.model, x, minimum=1)
        return self._over_replicas(lambda model, x: model.encode(x).mean, x, beta=beta)

    def decode(self, z, *, beta=None) -> Tensor:
        """The likelihood's mean at latents z, (N, K) for all replicas or (M, N, K) one set each: (M, N, *data)."""
        z = torch.as_tensor(z, dtype=self.rows.dtype)
        ranks_fit = z.ndim == 2 or (z.ndim == 3 and len(z) == len(self))
        if not ranks_fit or z.shape[-1] != self.model.latent_dim or not z.shape[-2]:
            raise ValueError(
                f"z must be (N, {self.model.latent_dim}) or ({len(self)}, N, {self.model.latent_dim}), "
                f"not {tuple(z.shape)}"
            )
        return self._over_replicas(lambda model, z: model.decode(z), z, own=z.ndim == 3, beta=beta)

    def reconstruct(self, x, *, beta=None) -> Tensor:
        """decode(mean(x)): x (N, *data) gives (M, N, *data)."""
        return self.decode(self.encode(x, beta=beta), beta=beta)

    def evaluate(self, x, *, beta=None, seed: int = 0) -> Evaluation:
        """Distortion, rate and squared error of x (N, *data); every replica samples with the same noise."""
        terms = (
            self._over_replicas(_terms_per_example, *self._with_noise(x, seed), beta=beta)
            .double()
            .mean(1)
        )
        return Evaluation(*terms.numpy().T)

    def rates_by_scale(self, x, *, beta=None, seed: int = 0) -> np.ndarray:
        """The rate of each scale of a `LadderVAE`, coarsest first: x (N, *data) gives (M, L) float64, in nats.

        They sum to the rate that `evaluate` gives with the same seed.

        Raises:
            ValueError: the model has no scales.
        """
        if not hasattr(
            self.model.module if is_multirate(self.model) else self.model, "distortion_and_rates"
        ):
            raise ValueError(
                "rates_by_scale is for hierarchical models, such as LadderVAE: use evaluate for this one"
            )
        return (
            self._over_replicas(_rates_per_example, *self._with_noise(x, seed), beta=beta)
            .double()
            .mean(1)
            .numpy()
        )

    def sample(self, noise, *, beta=None) -> Tensor:
        """The likelihood's mean at draws from the prior: standard normal noise (N, K) gives (M, N, *data)."""
        noise = torch.as_tensor(noise, dtype=self.rows.dtype)
        if noise.ndim != 2 or noise.shape[1] != self.model.latent_dim or not len(noise):
            raise ValueError(
                f"noise must be (N, {self.model.latent_dim}), not {tuple(noise.shape)}"
            )
        return self._over_replicas(
            lambda model, noise: getattr(model, "sample", model.decode)(noise), noise, beta=beta
        )

    def anchor_distance(self, points: RosettaPoints, *, beta=None) -> np.ndarray:
        """Mean squared distance of each replica's encoded anchors to their latents / total variance: (M,).

        Where the points are curves, their latents are those at beta; for plain models at each replica's own.
        """
        means = self.encode(points.x, beta=beta).double().numpy()
        betas = [beta] if beta is not None or points.betas is None else self.beta
        target = np.stack([points.z_at(at) for at in betas]).astype(np.float64)  # (1 or M, R, K)
        return np.square(means - target).sum(-1).mean(-1) / np.maximum(
            target.var(1).sum(-1), 1e-300
        )

    def save(self, path) -> None:
        """Write everything to `path` (.npz), atomically and without pickle."""
        arrays = dict(rows=self.rows.numpy(), terms=self.terms, beta=self.beta, rho=self.rho)
        arrays |= {f"buffer {name}": buffer.numpy() for name, buffer in self.buffers.items()}
        header = dict(seeds=self.seeds, info=self.info, config=getattr(self.model, "config", None))
        save_arrays(path, kind="fit", version=1, header=header, arrays=arrays)

    @classmethod
    def load(cls, path, *, model: nn.Module | None = None) -> "Fit":
        """Read a saved Fit; `model`, the pattern, is needed where it was not made by a constructor of `VAE`."""
        header, arrays = load_arrays(path, kind="fit", version=1)
        if model is None and header["config"] is None:
            raise ValueError(
                f"{path} holds a model of your own: pass model=, a module of the same shape"
            )
        model = model if model is not None else build(header["config"])
        rows = torch.from_numpy(arrays["rows"])
        if rows.shape[1] != sum(engine.Parameters(model).sizes):
            raise ValueError(
                f"{path} holds {rows.shape[1]} parameters a replica, the model has another number"
            )
        names = [name for name, _ in model.named_buffers()]
        missing = [name for name in names if f"buffer {name}" not in arrays]
        if missing:
            raise ValueError(
                f"{path} holds no buffers {missing} of the model: pass the model that it was saved with"
            )
        buffers = {name: torch.from_numpy(arrays[f"buffer {name}"]) for name in names}
        kept = {key: arrays[key] for key in ("terms", "beta", "rho")}
        return cls(
            model.to(rows.dtype),
            rows,
            buffers=buffers,
            seeds=header["seeds"],
            info=header["info"],
            **kept,
        )

    def _with_noise(self, x, seed: int) -> tuple[Tensor, Tensor]:
        """x, checked, and the noise (N, noise_dim) with which all replicas sample its latents."""
        x, random = check_data(self.model, x, minimum=1), engine.generator(seed, engine.EVALUATION)
        return x, torch.randn(
            (len(x), self.model.noise_dim), generator=random, dtype=self.rows.dtype
        )

    def _check_beta(self, beta) -> None:
        if responds_to_rho(self.model):
            raise ValueError("this model responds to rho too: take at_rho(rho) first")
        if beta is not None and not is_multirate(self.model):
            raise ValueError(
                "beta is for multi-rate models; this model answers at the beta it was trained with"
            )
        if beta is None and is_multirate(self.model):
            raise ValueError(
                "a multi-rate model answers at every beta: pass beta=, a number or one per example"
            )

    def _over_replicas(self, function, *inputs: Tensor, own: bool = False, beta=None) -> Tensor:
        """function(model, *batch) for each replica over chunks of the inputs: (M, N, ...)."""
        self._check_beta(beta)
        wrapped = _Call(self.model, function)
        device = torch.device(self.info.get("device", "cpu"))
        device = (
            device if device.type == "cpu" or torch.cuda.is_available() else torch.device("cpu")
        )
        axis, pieces = (1 if own else 0), []
        rows, buffers = (
            self.rows.to(device),
            {name: buffer.to(device) for name, buffer in self.buffers.items()},
        )
        rates = self._rates(beta, inputs[0].shape[axis])

        def one(row, buffers, h, *batch):
            named = {
                f"model.{name}": value
                for name, value in (self._parameters.unflatten(row) | buffers).items()
            }
            return functional_call(wrapped, named, (h, *batch))

        def looped(rows, buffers, h, *batch):
            each = enumerate(rows)
            chosen = [
                (row, {k: b[m] for k, b in buffers.items()}, [v[m] if own else v for v in batch])
                for m, row in each
            ]
            return torch.stack([one(row, kept, h, *values) for row, kept, values in chosen])

        vectorised = vmap(one, in_dims=(0, 0, None, *[0 if own else None for _ in inputs]))
        every = looped if engine.one_by_one(self.model, device) else vectorised
        with torch.no_grad():
            for h, *chunk in zip(
                rates, *(values.split(CHUNK, dim=axis) for values in inputs), strict=True
            ):
                batch = [engine.to_units(values, rows) for values in chunk]
                pieces.append(every(rows, buffers, None if h is None else h.to(rows), *batch).cpu())
        return torch.cat(pieces, dim=1)

    def _rates(self, beta, num_data: int) -> list:
        """The standardised log beta of each chunk of N examples, () or (B,); None for a plain model."""
        h = None if beta is None else self.model.h(beta)
        if h is None or not h.ndim:
            return [h] * -(-num_data // CHUNK)
        if len(h) != num_data:
            raise ValueError(
                f"beta has {len(h)} entries for {num_data} examples: pass a number or one per example"
            )
        return list(h.split(CHUNK))


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


def _rates_per_example(model: nn.Module, x: Tensor, noise: Tensor) -> Tensor:
    """The rate of each scale of each example: (B, L)."""
    return model.distortion_and_rates(x, noise)[1]
