"""What `fit` asks of its arguments: each refusal is one sentence with the remedy.

Letters: M replicas, N data points.
"""

import importlib.util
import math
import os
import shutil
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite.arrays import as_array, is_number, is_whole

# Compiling takes 5 to 50 s and pays, measured on a CPU, from so many replica-steps, or from so many
# numbers of data that all replicas see.
COMPILE_ABOVE, COMPILE_ABOVE_NUMBERS = 100_000, 5 * 10**9


def check_positive_betas(beta: Tensor) -> None:
    """Raises ValueError where curves over beta would meet a model of beta 0."""
    if not (beta > 0).all():
        remedy = "pass plain points, such as points.at_beta(0.01)"
        raise ValueError(f"points over beta hold no model of beta 0: {remedy}")


def check_objective(objective, model, law) -> None:
    """Raises ValueError for what is no objective, or does not suit the model or the law of beta."""
    if not hasattr(objective, "combine"):
        known = "such as disentanglement.BetaTCVAE(), or left out"
        raise ValueError(f"objective must be an object {known}, not {objective!r}")
    objective.check(model, law)


def not_reached(missed: list[int], distance: float) -> str:
    """The warning where replicas ended up to `distance` from their Rosetta points."""
    how_far = f"mean squared distance up to {distance:.2g} of their total variance"
    remedy = "check that the points were made with the same preprocessing"
    remedies = f"train longer, raise rho, or {remedy}"
    return f"replicas {missed} did not reach the Rosetta points: {how_far}; {remedies}"


def check_counts(**named) -> None:
    """Raises ValueError for a value that is not a positive integer."""
    for name, value in named.items():
        if not is_whole(value) or value < 1:
            raise ValueError(f"{name} must be a positive integer, not {value!r}")


def listed_seeds(seeds, replicas: int) -> list[int]:
    """A list of one seed per replica, after checking it."""
    listed = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    if not all(is_whole(seed) and seed >= 0 for seed in listed):
        raise ValueError(f"seed must be a non-negative integer or one per replica, not {seeds!r}")
    if len(listed) != replicas:
        counts = f"{len(listed)} seeds for {replicas} replicas"
        raise ValueError(f"seed lists {counts}: give one per replica")
    return [int(seed) for seed in listed]


def check_learning_rate(value) -> None:
    """Raises ValueError for a learning rate that is no positive number."""
    if not is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"learning_rate must be a positive number, not {value!r}")


def check_warmup(count, *, epochs: float = math.inf) -> None:
    """Raises ValueError for a warm-up that is no whole number of epochs, or too long."""
    if not is_whole(count) or count < 0:
        raise ValueError(f"warmup_epochs must be a whole number from 0 up, not {count!r}")
    if count >= epochs:
        wanted = f"a whole number below epochs={epochs}"
        raise ValueError(f"warmup_epochs must be {wanted}, not {count}")


def check_drawn(beta, drawn: tuple | None, beta_range: tuple | None) -> None:
    """Raises ValueError where beta does not suit the model.

    drawn: (lowest, highest) where beta is a law that draws it, else None.
    beta_range: that of a multi-rate model, which needs such a law; None for a plain model.
    """
    if drawn and beta_range is None:
        remedy = "pass make_multirate(model), or a number"
        raise ValueError(f"beta={beta} is for multi-rate models: {remedy}")
    if beta_range is not None and drawn != tuple(beta_range):
        low, high = beta_range
        needed = f"beta=LogUniform({low:g}, {high:g}), its range"
        raise ValueError(f"this multi-rate model needs {needed}, not {beta!r}")


def check_finite_loss(trainer, losses: np.ndarray, epoch: int) -> None:
    """Raises FloatingPointError where a replica's loss, of (M,), is not finite after an epoch."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if not bad.size:
        return
    m = int(bad[0])
    beta, rho = float(trainer.beta[m]), trainer.rho[m]
    beta = repr(trainer.law) if math.isnan(beta) else f"{beta:g}"
    where = f"epoch {epoch + 1}, replica {m} (seed {trainer.seeds[m]}, beta {beta}, rho {rho:g})"
    remedy = "lower learning_rate, or rescale the data"
    raise FloatingPointError(f"the loss is not finite in {where}: {remedy}")


def ascending_range(given) -> tuple[float, float]:
    """(lowest, highest) beta of a range, after checking it."""
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError) as error:
        message = f"the range of beta must be two numbers, lowest and highest, not {given!r}"
        raise ValueError(message) from error
    if not 0 < low < high < math.inf:
        ends = f"[{low:g}, {high:g}]"
        raise ValueError(f"the range of beta must be positive, finite and ascending, not {ends}")
    return low, high


def check_latent_gates(latents, known, module, readers) -> None:
    """Raises ValueError for gates at the latents that are unknown, or that the module cannot have.

    readers: names of the linear layers that read the latents.
    """
    if latents not in known:
        raise ValueError(f"latents must be one of {list(known)}, not {latents!r}")
    if latents != "none" and not readers:
        reason = "no linear layer of it reads latents"
        raise ValueError(f"latents={latents!r} is not for this module, {reason}: leave it out")
    if latents != "none" and getattr(module, "is_linear", False):
        reason = "which has its own exact response"
        raise ValueError(f"latents={latents!r} is not for a linear VAE, {reason}: leave it out")


def check_some(names: list[str], latents: str) -> None:
    """Raises ValueError where neither a layer nor the latents are gated."""
    if not names and latents == "none":
        raise ValueError("the module has no layers to gate: name some in layers=")


def check_chosen(chosen: list[str], named: dict[str, nn.Module], gateable: tuple) -> None:
    """Raises ValueError where layers chosen by name are none, are not there or cannot be gated."""
    unknown = [name for name in chosen if name not in named]
    if unknown:
        known = [name for name, layer in named.items() if type(layer) in gateable]
        raise ValueError(f"layers {unknown} are not in the module, which has {known}")
    remedy = "only linear layers, convolutions and batch norms can"
    check_gateable({name: named[name] for name in chosen}, gateable, remedy)


def check_gateable(layers: dict[str, nn.Module], gateable: tuple, remedy: str) -> None:
    """Raises ValueError for layers of other kinds than `gateable`."""
    found = {name: type(layer) for name, layer in layers.items() if type(layer) not in gateable}
    if found:
        described = [f"{name} ({kind.__name__})" for name, kind in found.items()]
        raise ValueError(f"layers {described} cannot be gated: {remedy}")


def per_replica(name: str, value, replicas: int) -> Tensor:
    """A number, or one per replica, as (M,) float64.

    Raises:
        ValueError: another count, or a value that is negative or not finite.
    """
    expected = f"{name} must be a number or one per replica ({replicas})"
    try:
        values = torch.from_numpy(np.array(as_array(name, value), dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}, not {value!r}") from error
    if values.ndim == 0:
        values = values.expand(replicas).clone()
    if values.shape != (replicas,):
        raise ValueError(f"{expected}, not of shape {tuple(values.shape)}")
    if not (torch.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(f"{name} must be finite and not negative, not {values.tolist()}")
    return values


def choose_compiled(
    compile, model: nn.Module, device: torch.device, passes: int, num_batches: int, x: Tensor
):
    """Whether a training's step is compiled: True, False, or "auto" (try, and go on without).

    Args:
        compile, model, device: as in `fit`.
        passes: how often all replicas go through the data.
        num_batches, x: in how many steps, and through what, (N, *data).
    """
    if compile not in (True, False, "auto"):
        raise ValueError(f"compile must be True, False or 'auto', not {compile!r}")
    if compile == "auto":
        steps, numbers = passes * num_batches, passes * x.numel()
        pays = steps >= COMPILE_ABOVE or numbers >= COMPILE_ABOVE_NUMBERS
        pays = pays and not compiles_slowly(model, device)
        return "auto" if pays and compiler_available(device) else False
    if compile and not compiler_available(device):
        message = "compile=True needs a C++ compiler (Triton on CUDA): install one, or "
        raise ValueError(message + "leave compile='auto'")
    return compile


def compiler_available(device: torch.device) -> bool:
    """Whether torch.compile can work: a C++ compiler for the CPU, Triton for CUDA."""
    if device.type == "cuda":
        return importlib.util.find_spec("triton") is not None
    names = (os.environ.get("CXX", ""), "g++", "clang++", "cl")
    return any(shutil.which(name) for name in names if name)


def one_by_one(model: nn.Module, device: torch.device) -> bool:
    """Whether replicas train faster one after the other: on a CPU convolutions and LSTMs do."""
    if device.type != "cpu":
        return False
    layers = list(model.modules())
    convolves = any(isinstance(layer, nn.modules.conv._ConvNd) for layer in layers)
    return convolves or any(getattr(layer, "alone_on_cpu", False) for layer in layers)


def compiles_slowly(model: nn.Module, device: torch.device) -> bool:
    """Whether compiling costs more than it saves: for replicas trained alone, and for LSTMs."""
    layers = model.modules()
    return one_by_one(model, device) or any(getattr(a, "compiles_slowly", False) for a in layers)


def check_layers(model: nn.Module) -> None:
    """Raises ValueError for what replicas cannot have: a layer under two names, frozen weights."""
    names = {}
    for name, layer in model.named_modules(remove_duplicate=False):
        own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        if own and names.setdefault(id(layer), name) != name:
            first = names[id(layer)]
            raise ValueError(f"layer {name} is {first}: use it under one name")
    frozen = [name for name, each in model.named_parameters() if not each.requires_grad]
    if frozen:
        wrong = f"{frozen[0]} is frozen, but every replica draws and trains its own"
        raise ValueError(f"{wrong}: register it as a buffer, or call requires_grad_(True)")
