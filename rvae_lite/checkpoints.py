"""Files of trainings: checkpoints, from which they go on to the very same result, and Fits.

Every random number depends on (seed, purpose, epoch) alone, so parameters, buffers, moments and
history are the whole state.
"""

import hashlib
import re
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from rvae_lite.arrays import as_array
from rvae_lite.laws import drawn_from
from rvae_lite.models import build_verified
from rvae_lite.objective import TERMS
from rvae_lite.storage import (
    FRESH_COPY,
    check_array,
    check_entries,
    check_names,
    content_hash,
    expanded,
    load_arrays,
    save_arrays,
)

VERSION = 2  # of checkpoints
OLDER_TERMS = (*TERMS, "total_correlation")  # of saved Fits that do not name their terms
PAUSE_SECONDS = 30.0  # between two checkpoints at least
SHARE_OF_TIME = 0.05  # of a training's time at most goes into writing them


def kept_as(folder, label: str) -> Path | None:
    """Where a training called `label` is kept in a folder, which is made if need be."""
    if folder is None:
        return None
    folder = expanded(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{re.sub('[^A-Za-z0-9]+', '-', label).strip('-')}.npz"


class Checkpoint:
    """Writes and resumes the state of one training.

    Args:
        path: the file, or None for a training that is not kept.
        trainer: an `engine.Trainer`.
        weighted: the `anchors.Weighted` points that it meets, or None.
        start: the `fitted.Start` that it starts from.
    """

    def __init__(self, path, trainer, weighted, start):
        self.path = None if path is None else expanded(path)
        self.epochs = trainer.epochs
        self.terms = (*TERMS, *trainer.loss.objective.extra)
        self.settings = None if path is None else settings_of(trainer, weighted, start)
        self.written, self.pause = time.monotonic(), PAUSE_SECONDS

    def after_epoch(self, state) -> None:
        """Write the state if the last checkpoint is long ago or the training has ended."""
        if self.path is None:
            return
        overdue = time.monotonic() - self.written > self.pause
        if not overdue and len(state.history) < self.epochs:
            return
        begun = time.monotonic()
        write(self.path, self.settings, state)
        self.written = time.monotonic()
        self.pause = max(PAUSE_SECONDS, (self.written - begun) / SHARE_OF_TIME)

    def resume(self, state) -> None:
        """Bring `state` in place to where the checkpoint left off, if there is one.

        Raises:
            ValueError: the checkpoint is damaged, belongs to another training or is further on.
        """
        if self.path is None or not self.path.exists():
            return
        check = partial(self._check, state)
        remedy = "delete it, and the training begins anew"
        known = dict(kind="checkpoint", version=VERSION)
        header, arrays = load_arrays(self.path, **known, check=check, remedy=remedy)
        if header["schema_version"] < VERSION:
            raise ValueError(f"checkpoint {self.path} is of an older release: delete it")
        remedy = "delete it or choose another checkpoint path"
        theirs = header["settings"]
        changed = differing(theirs, self.settings)
        if changed:
            another = f"a training with another {', '.join(changed)}"
            raise ValueError(f"checkpoint {self.path} belongs to {another}: {remedy}")
        done = len(arrays["terms"])
        if done > self.epochs:
            counts = f"{done} epochs behind it, more than epochs={self.epochs}"
            raise ValueError(f"checkpoint {self.path} has {counts}: raise epochs, {remedy}")
        state.weights.copy_(torch.from_numpy(arrays["rows"]))
        state.first.copy_(torch.from_numpy(arrays["first"]))
        state.second.copy_(torch.from_numpy(arrays["second"]))
        for name, buffer in state.buffers.items():
            buffer.copy_(torch.from_numpy(arrays[f"buffer {name}"]))
        state.history.extend(arrays["terms"])

    def _check(self, state, header: dict, arrays: dict) -> None:
        """Raises ValueError where a checkpoint does not hold what this training would write."""
        if header["schema_version"] < VERSION:
            return  # `resume` names it
        check_entries(header, settings=dict)
        if differing(header["settings"], self.settings):
            return  # so it does with these
        named = dict.fromkeys(("rows", "first", "second"), state.weights)
        named |= {f"buffer {name}": buffer for name, buffer in state.buffers.items()}
        check_names(arrays, [*named, "terms"])
        for name, own in named.items():
            dtype = as_array(name, own).dtype
            check_array(name, arrays[name], shape=tuple(own.shape), dtype=dtype)
        shape = (None, len(self.terms), len(state.weights))
        check_array("terms", arrays["terms"], shape=shape, dtype="float64")


def differing(theirs: dict, own: dict) -> list[str]:
    """The settings that differ between two trainings; of a model its options too."""
    changed = [key for key, value in own.items() if theirs.get(key) != value]
    if "model" in changed and own["model"]["config"]:
        before = theirs.get("model")
        before = before.get("config") if isinstance(before, dict) else None
        before = before if isinstance(before, dict) else {}
        options = [key for key, value in own["model"]["config"].items() if before.get(key) != value]
        changed[changed.index("model")] = f"model ({', '.join(options)})"
    return changed


def settings_of(trainer, weighted, start) -> dict:
    """What must not change between a training and its resumption, as JSON."""
    model, laws = trainer.loss.model, (trainer.law, trainer.learning_rate)
    layers = [
        [name, repr(layer)] for name, layer in model.named_modules() if not any(layer.children())
    ]
    shapes = [[name, list(parameter.shape)] for name, parameter in model.named_parameters()]
    data = np.ascontiguousarray(as_array("x", trainer.x))
    begun = dict(rows=start.fit.weights, **start.fit.buffers) if start.fit else {}
    begun = {name: as_array(name, values) for name, values in begun.items()}
    points = weights = None
    if weighted is not None:
        arrays = {name: getattr(weighted.points, name) for name in ("x", "z", "betas")}
        arrays["recon"] = weighted.recon  # None where the decoder is drawn to the inputs
        known = {name: array for name, array in arrays.items() if array is not None}
        points = content_hash({}, known)
        weights = [weighted.x, weighted.z, weighted.power]
    return dict(
        start=start.fit and content_hash(dict(frozen=list(start.frozen)), begun),
        model=dict(config=getattr(model, "config", None), layers=layers, shapes=shapes),
        likelihood=[model.likelihood, model.noise_variance],
        dtype=str(next(model.parameters()).dtype),
        data=hashlib.sha256(data.tobytes()).hexdigest(),
        points=points,
        **{"weights of the points": weights},
        seeds=trainer.seeds,
        batch_size=trainer.batches.batch_size,
        # A law that spans the training ties it to its length; others may be prolonged.
        epochs=int(trainer.epochs) if any(law.spans_training for law in laws) else None,
        beta=[repr(trainer.law), [f"{beta:.17g}" for beta in trainer.beta.tolist()]],
        rho=trainer.rho.tolist(),
        learning_rate=[repr(trainer.learning_rate), float(trainer.learning_rate.value)],
        objective=trainer.loss.objective.name,
    )


def info_of(trainer, *, seconds: float) -> dict:
    """What a `Fit` tells about its training, as JSON."""
    law, learning_rate, objective = trainer.law, trainer.learning_rate, trainer.loss.objective
    info = dict(trainer.batches._asdict(), epochs=int(trainer.epochs), beta=repr(law))
    info |= dict(learning_rate=float(learning_rate.value), schedule=repr(learning_rate))
    info["device"] = str(trainer.x.device)
    info["engine"] = "compiled" if trainer.compiled else "eager"
    info |= dict(torch=torch.__version__, seconds=seconds)
    if (drawn := drawn_from(law)) is not None:
        info["beta_range"] = [drawn.low, drawn.high]
    if objective.extra:
        info["objective"] = objective.name
    return info


def write(path, settings: dict, state) -> None:
    """Write a training's state atomically."""
    arrays = dict(
        rows=as_array("rows", state.weights),
        first=as_array("first", state.first),
        second=as_array("second", state.second),
        terms=np.stack(state.history),
    )
    for name, buffer in state.buffers.items():
        arrays[f"buffer {name}"] = as_array(name, buffer)
    header = dict(settings=settings)
    save_arrays(path, kind="checkpoint", version=VERSION, header=header, arrays=arrays)


def save_fit(path, fit) -> None:
    """Write a `Fit` to `path` (.npz), atomically and without pickle."""
    arrays = dict(rows=as_array("rows", fit.weights), beta=fit.beta, rho=fit.rho)
    arrays["terms"] = np.stack(list(fit.terms.values()), axis=1)  # (epochs, T, M)
    for name, buffer in fit.buffers.items():
        arrays[f"buffer {name}"] = as_array(name, buffer)
    config = getattr(fit.model, "config", None)
    # How long it took belongs to the run: files of one training are equal.
    info = {name: value for name, value in fit.info.items() if name != "seconds"}
    header = dict(seeds=fit.seeds, info=info, config=config, terms=list(fit.terms))
    save_arrays(path, kind="fit", version=1, header=header, arrays=arrays)


def load_fit(path) -> tuple[dict, dict]:
    """Header and arrays of a saved Fit, whatever its model, after checking that they are such.

    The header names the terms of the loss, in the order of the array `terms`, (epochs, T, M).

    Raises:
        FileNotFoundError, PermissionError, ValueError: as for `load_arrays`.
    """
    header, arrays = load_arrays(path, kind="fit", version=1, check=_check_fit)
    header.setdefault("terms", list(OLDER_TERMS[: arrays["terms"].shape[1]]))
    return header, arrays


def _check_fit(header: dict, arrays: dict) -> None:
    check_names(arrays, ["rows", "beta", "rho", "terms"], prefix="buffer ")
    check_entries(header, seeds=list, info=dict, config=(dict, type(None)))
    check_array("rows", arrays["rows"], shape=(None, None), kind="f")
    replicas = len(arrays["rows"])
    check_array("rho", arrays["rho"], shape=(replicas,), kind="f")
    check_array("beta", arrays["beta"], shape=(replicas,), kind="f", finite=False)
    check_array("terms", arrays["terms"], shape=(None, None, replicas), kind="f", finite=False)
    for name in arrays.keys() - {"rows", "beta", "rho", "terms"}:
        check_array(name, arrays[name], shape=(replicas, *arrays[name].shape[1:]), kind="fiub")
    seeds, terms = header["seeds"], header.get("terms", OLDER_TERMS[: arrays["terms"].shape[1]])
    if len(seeds) != replicas or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise ValueError(f"seeds must be {replicas} whole numbers")
    if not isinstance(terms, list | tuple) or not all(isinstance(term, str) for term in terms):
        raise ValueError("terms must be names")
    if len(terms) != arrays["terms"].shape[1] or len(set(terms)) < len(terms):
        raise ValueError(f"terms must be {arrays['terms'].shape[1]} different names")
    beta, rho = arrays["beta"], arrays["rho"]
    if np.isinf(beta).any() or (beta < 0).any() or (rho < 0).any():
        raise ValueError("beta and rho must be finite and not negative")
    if "loss" not in terms:
        raise ValueError("its terms do not name the loss")


def _built(path, config: dict, num_parameters: int):
    try:
        return build_verified(config, num_parameters)
    except ValueError as error:
        raise ValueError(f"{path} holds no valid fit ({error}): {FRESH_COPY}") from error


def read_fit(path, model=None) -> dict:
    """The arguments of the `Fit` that `save_fit` wrote.

    Raises:
        ValueError: a damaged file, or one that the model does not fit.
    """
    header, arrays = load_fit(path)
    if model is None and header["config"] is None:
        remedy = "pass model=, a module of the same shape"
        raise ValueError(f"{path} holds a model of your own: {remedy}")
    weights, terms = torch.from_numpy(arrays["rows"]), arrays["terms"]
    if model is None:
        model = _built(path, header["config"], weights.shape[1])
    if weights.shape[1] != sum(parameter.numel() for parameter in model.parameters()):
        found = f"{weights.shape[1]} parameters a replica"
        raise ValueError(f"{path} holds {found}, the model has another number")
    names = [name for name, _ in model.named_buffers()]
    missing = [name for name in names if f"buffer {name}" not in arrays]
    if missing:
        remedy = "pass the model that it was saved with"
        raise ValueError(f"{path} holds no buffers {missing} of the model: {remedy}")
    for name, buffer in model.named_buffers():
        found = arrays[f"buffer {name}"].shape[1:]
        if found != tuple(buffer.shape):
            shapes = f"{name} of shape {found}, the model has {tuple(buffer.shape)}"
            raise ValueError(f"{path} holds a buffer {shapes}: {FRESH_COPY}")
    return dict(
        model=model.to(weights.dtype),
        weights=weights,
        buffers={name: torch.from_numpy(arrays[f"buffer {name}"]) for name in names},
        seeds=header["seeds"],
        beta=arrays["beta"],
        rho=arrays["rho"],
        terms={name: terms[:, i] for i, name in enumerate(header["terms"])},
        info=header["info"],
    )
