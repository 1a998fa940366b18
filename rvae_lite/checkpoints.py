"""Checkpoints from which an interrupted training goes on to the very same result.

Every random number depends on (seed, purpose, epoch) alone, so parameters, buffers, moments and history are the whole
state.
"""

import hashlib
import re
from pathlib import Path

import numpy as np
import torch

from rvae_lite.gates import Gate
from rvae_lite.storage import content_hash, load_arrays, save_arrays


def kept_as(folder, label: str) -> Path | None:
    """Where a training called `label` is kept in a folder, which is made if need be; None without one."""
    if folder is None:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) / f"{re.sub('[^A-Za-z0-9]+', '-', label).strip('-')}.npz"


def settings_of(model, x, points, **numbers) -> dict:
    """What must not change between a training and its resumption, as JSON."""
    digest = hashlib.sha256(np.ascontiguousarray(x.cpu().numpy()).tobytes())
    architecture = [[name, list(parameter.shape)] for name, parameter in model.named_parameters()]
    likelihood = [model.likelihood, model.noise_variance]
    gates = [layer for layer in model.modules() if isinstance(layer, Gate)]
    gates = [[layer.kind, layer.tilt] if layer.tilt else layer.kind for layer in gates]
    tanh = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Tanh)]
    if points is not None:
        curves = {} if points.betas is None else dict(betas=points.betas)
        curves |= {} if points.recon is None else dict(recon=points.recon)
        points = content_hash({}, dict(x=points.x, z=points.z) | curves)
    plain = {
        key: value.tolist() if hasattr(value, "tolist") else value for key, value in numbers.items()
    }
    return dict(
        plain,
        model=architecture,
        likelihood=likelihood,
        gates=gates or None,
        tanh=tanh or None,
        word_dropout=getattr(model, "word_dropout", None),
        dtype=str(next(model.parameters()).dtype),
        data=digest.hexdigest(),
        points=points,
    )


def write(path, settings: dict, state) -> None:
    """Write a training's state atomically."""
    arrays = dict(
        rows=state.rows.cpu().numpy(),
        first=state.moments.first.cpu().numpy(),
        second=state.moments.second.cpu().numpy(),
        terms=np.stack(state.terms),
    )
    arrays |= {f"buffer {name}": buffer.cpu().numpy() for name, buffer in state.buffers.items()}
    save_arrays(path, kind="checkpoint", version=1, header=dict(settings=settings), arrays=arrays)


def resume(path, settings: dict, state, *, epochs: int) -> None:
    """Bring `state` in place to where the checkpoint at `path` left off, if there is one.

    Raises:
        ValueError: the checkpoint is damaged, belongs to another training or has more than `epochs` behind it.
    """
    if not Path(path).exists():
        return
    header, arrays = load_arrays(path, kind="checkpoint", version=1)
    changed = [key for key in settings if header["settings"].get(key) != settings[key]]
    if changed:
        raise ValueError(
            f"checkpoint {path} belongs to a training with another {', '.join(changed)}: "
            f"delete it or choose another checkpoint path"
        )
    if len(arrays["terms"]) > epochs:
        raise ValueError(
            f"checkpoint {path} has {len(arrays['terms'])} epochs behind it, more than epochs={epochs}: "
            f"raise epochs, delete it or choose another checkpoint path"
        )
    state.rows.copy_(torch.from_numpy(arrays["rows"]))
    state.moments.first.copy_(torch.from_numpy(arrays["first"]))
    state.moments.second.copy_(torch.from_numpy(arrays["second"]))
    for name, buffer in state.buffers.items():
        buffer.copy_(torch.from_numpy(arrays[f"buffer {name}"]))
    state.terms.extend(arrays["terms"])
