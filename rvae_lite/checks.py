"""What `fit` asks of its arguments, each refusal one sentence that names the thing and the remedy."""

import math

import numpy as np
import torch
from torch import Tensor

from rvae_lite.laws import SCHEDULES
from rvae_lite.multirate import LogUniform, is_multirate, responds_to_rho

OBJECTIVES = ("beta-VAE", "beta-TCVAE")


def check_data(model, x, *, minimum: int) -> Tensor:
    """x as a tensor (N, *data) that the model can train on: uint8, or finite floats in the declared range.

    A model with `num_tokens` reads integers from 0 to that, and none else.

    Raises:
        ValueError: wrong type, shape or range, NaN or infinite values, fewer than `minimum` examples.
    """
    try:
        x = x.detach() if isinstance(x, Tensor) else torch.from_numpy(_plain(np.asarray(x)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"x must be a numeric array of shape (N, *data): {error}") from error
    shape = tuple(model.data_shape)
    if x.ndim != len(shape) + 1 or tuple(x.shape[1:]) != shape:
        raise ValueError(
            f"x must be (N, {', '.join(map(str, shape))}) for this model, not {tuple(x.shape)}"
        )
    if len(x) < minimum:
        raise ValueError(
            f"x holds {len(x)} example{'s' * (len(x) != 1)}, at least {minimum} needed: pass more data"
        )
    if getattr(model, "num_tokens", None) is not None:
        return _checked_tokens(x, model.num_tokens)
    if x.dtype == torch.uint8:
        return x
    if not x.is_floating_point():
        raise ValueError(
            f"x holds {x.dtype}: convert it to floats in the model's units, or to uint8 for images"
        )
    finite = torch.isfinite(x).flatten(1).all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise ValueError(
            f"x has NaN or infinite values in {int((~finite).sum())} examples, first in {row}: drop them"
        )
    if model.value_range is not None:
        low, high = model.value_range
        smallest, largest = float(x.min()), float(x.max())
        if smallest < low or largest > high:
            raise ValueError(
                f"x ranges over [{smallest:.4g}, {largest:.4g}], the model over [{low:g}, {high:g}]: rescale x "
                f"(uint8 images are rescaled by themselves)"
            )
    return x.to(next(model.parameters()).dtype)


def _checked_tokens(x: Tensor, num_tokens: int) -> Tensor:
    """Tokens (N, T) as int64, every one known to the model."""
    if x.is_floating_point() or x.dtype == torch.bool:
        raise ValueError(
            f"x holds {x.dtype}, but this model reads tokens: pass integers, as Vocabulary.encode gives"
        )
    smallest, largest = int(x.min()), int(x.max())
    if smallest < 0 or largest >= num_tokens:
        raise ValueError(
            f"x holds tokens from {smallest} to {largest}, the model knows 0 to {num_tokens - 1}: "
            f"encode the texts with the vocabulary that the model was built for"
        )
    return x.long()


def _plain(array: np.ndarray) -> np.ndarray:
    # Torch shares an array's memory only if it is writable, native and without negative strides; others are copied.
    return np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "W"])


def check_points(model, x: Tensor, points) -> None:
    """Raises ValueError where the points do not fit the model or the data."""
    if getattr(model, "num_tokens", None) is not None:
        raise ValueError(
            "a model of texts cannot be anchored, for words have no squared distance: pass rho=0"
        )
    latent_dim = points.z.shape[-1]
    if latent_dim != model.latent_dim:
        raise ValueError(
            f"points have K = {latent_dim} latent dimensions, the model has {model.latent_dim}: "
            f"build the model with latent_dim={latent_dim}"
        )
    report = points.check(x)
    if report.errors:
        raise ValueError("points do not fit the data: " + "; ".join(report.errors))


def check_positive(**named) -> None:
    """Raises ValueError for a value that is not a positive number (an integer but for those named here)."""
    for name, value in named.items():
        real = name in ("learning_rate", "gate_speed")
        numeric = (int, float, np.integer, np.floating) if real else (int, np.integer)
        if (
            isinstance(value, bool)
            or not isinstance(value, numeric)
            or not value > 0
            or not math.isfinite(value)
        ):
            kind = "number" if real else "integer"
            raise ValueError(f"{name} must be a positive {kind}, not {value!r}")


def check_schedule(schedule: str, warmup_epochs: int, epochs: int, anneal: float, per: str) -> None:
    """Raises ValueError for a course of the learning rate or of beta that is impossible."""
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {sorted(SCHEDULES)}, not {schedule!r}")
    whole = isinstance(warmup_epochs, (int, np.integer)) and not isinstance(warmup_epochs, bool)
    if not whole or not 0 <= warmup_epochs < epochs:
        raise ValueError(
            f"warmup_epochs must be a whole number below epochs={epochs}, not {warmup_epochs!r}"
        )
    if (
        isinstance(anneal, bool)
        or not isinstance(anneal, (int, float, np.floating))
        or not 0 <= anneal <= 1
    ):
        raise ValueError(f"anneal must be a share of the steps, from 0 to 1, not {anneal!r}")
    if per not in ("example", "batch"):
        raise ValueError(f"per must be 'example' or 'batch', not {per!r}")


def check_rates(model, beta, rho, *, anneal: float, rho_power: float) -> None:
    """Raises ValueError where beta is no law for a multi-rate model, or one for a plain model; likewise rho."""
    if (
        isinstance(rho_power, bool)
        or not isinstance(rho_power, (int, float))
        or not math.isfinite(rho_power)
    ):
        raise ValueError(f"rho_power must be a finite number, not {rho_power!r}")
    is_law = isinstance(beta, LogUniform)
    _check_rho_law(model, rho, rho_power)
    if not is_multirate(model):
        if is_law:
            raise ValueError(
                f"beta={beta} is for multi-rate models: pass make_multirate(model), or a number"
            )
        if rho_power:
            raise ValueError(
                "rho_power is for multi-rate models: give rho per replica for models of one beta"
            )
        return
    low, high = model.beta_range
    if not is_law or (beta.low, beta.high) != (low, high):
        raise ValueError(
            f"this multi-rate model needs beta=LogUniform({low:g}, {high:g}), its range, not {beta!r}"
        )
    if anneal:
        raise ValueError("anneal is for models of one beta: pass anneal=0 for a multi-rate model")


def _check_rho_law(model, rho, rho_power: float) -> None:
    is_law = isinstance(rho, LogUniform)
    if not responds_to_rho(model):
        if is_law:
            raise ValueError(
                f"rho={rho} is for models that respond to rho: build one with make_multirate(rho_range=)"
            )
        return
    low, high = model.rho_range
    if not is_law or (rho.low, rho.high) != (low, high):
        raise ValueError(
            f"this model responds to rho: pass rho=LogUniform({low:g}, {high:g}), its range, not {rho!r}"
        )
    if rho_power:
        raise ValueError("rho_power is for models that do not respond to rho: leave it 0")


def check_objective(model, objective: str, *, per: str) -> None:
    """Raises ValueError for an unknown objective, or one that the model or the way of drawing beta does not allow."""
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {OBJECTIVES}, not {objective!r}")
    if objective == "beta-VAE":
        return
    head = getattr(getattr(model, "module", model), "head", None)
    posterior = getattr(head, "posterior", "unknown")
    if posterior not in ("diagonal", "constant"):
        raise ValueError(
            f"objective 'beta-TCVAE' is for diagonal posteriors, this model's is {posterior}: build it with "
            f"posterior='diagonal'"
        )
    if model.noise_dim != model.latent_dim:
        raise ValueError(
            "objective 'beta-TCVAE' is for models whose only noise is the posterior's: drop no words"
        )
    if is_multirate(model) and per != "batch":
        raise ValueError(
            f"objective 'beta-TCVAE' needs one beta a batch, whose total correlation it weighs: pass per='batch', "
            f"not {per!r}"
        )


def per_replica(name: str, value, replicas: int) -> Tensor:
    """A number, or one per replica, as (M,) float64."""
    try:
        values = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be a number or one per replica ({replicas}), not {value!r}"
        ) from error
    if values.ndim == 0:
        values = values.expand(replicas).clone()
    if values.shape != (replicas,):
        raise ValueError(
            f"{name} must be a number or one per replica ({replicas}), not of shape {tuple(values.shape)}"
        )
    if not (torch.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(f"{name} must be finite and not negative, not {values.tolist()}")
    return values
