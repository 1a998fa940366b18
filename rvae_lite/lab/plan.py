"""How to train a laboratory's own data, chosen from their shape and spread alone.

So that two laboratories that have never met choose alike.  Letters: N examples, K latent dimension, D numbers an
example.
"""

import math
from typing import NamedTuple

import numpy as np

from rvae_lite.models.vae import VAE
from rvae_lite.multirate import BETA_RANGE, MultiRate, make_multirate
from rvae_lite.rosetta import RosettaPoints

SMALLEST, LARGEST = 1e-3, 1e3  # root mean squares outside of which values are in unsuitable units
NOISE_SHARE = (
    0.1  # of the data's variance: the noise that the likelihood allows each number, by default
)
STEPS = 2500  # of a training, about, by default; of a multi-rate one twice as many


class Plan(NamedTuple):
    """How to train; what is None is chosen by `complete`.

    Attributes:
        network: one of `NETWORKS`; by default "patch" for images that can be cut into patches, else "mlp".
        latent_dim: K; that of the points, else 8, or 2 where an example has fewer than 32 numbers.
        likelihood: "gaussian" or "bernoulli"; noise_variance: of the Gaussian, squared units of the data; by default
            those of whoever made the points, else a tenth of the data's mean variance.
        beta: weight of the rate, None for a multi-rate model; rho: of the points, 0 without any.
        beta_range: (lowest, highest) beta of a multi-rate model; None for a plain one.
        epochs: by default about 2,500 steps, between 20 and 400 epochs; of a multi-rate model twice as many.
        batch_size: by default 64, less for few data.
        learning_rate: of Adam; seed: of everything random; held_out: share of the data that is not trained on.
    """

    network: str | None = None
    latent_dim: int | None = None
    likelihood: str | None = None
    noise_variance: float | None = None
    beta: float | None = 1.0
    beta_range: tuple[float, float] | None = None
    rho: float = 2.75
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-3
    seed: int = 0
    held_out: float = 0.1


def complete(plan: Plan, x: np.ndarray, points: RosettaPoints | None = None) -> Plan:
    """The plan with every None filled in from the data's shape and spread, and from the points where there are some.

    Args:
        plan: what is known.
        x: data, (N, *data).
        points: those that will be trained into.

    Raises:
        ValueError: data of one value, or in units far from 1.
    """
    variance = check_units(x)
    theirs = (points.header.get("model") if points is not None else None) or {}
    num_values, num_train = math.prod(x.shape[1:]), max(2, round((1 - plan.held_out) * len(x)))
    batch_size = plan.batch_size or min(64, max(8, num_train // 16))
    likelihood = plan.likelihood or theirs.get("likelihood", "gaussian")
    many = 1 if plan.beta_range is None else 2
    return plan._replace(
        network=plan.network or ("patch" if x.ndim == 4 and _patch_size(x.shape[1:]) else "mlp"),
        latent_dim=plan.latent_dim
        or (points.z.shape[-1] if points is not None else 8 if num_values >= 32 else 2),
        likelihood=likelihood,
        noise_variance=plan.noise_variance
        or theirs.get("noise_variance")
        or float(f"{NOISE_SHARE * variance:.2g}"),
        beta=plan.beta if plan.beta_range is None else None,
        epochs=plan.epochs or many * min(400, max(20, math.ceil(STEPS * batch_size / num_train))),
        batch_size=batch_size,
        rho=plan.rho if points is not None else 0.0,
    )


def beta_range_of(points: RosettaPoints | None = None) -> tuple[float, float]:
    """The range of a multi-rate model: that of the points' curves where there are some, else 0.01 to 10."""
    return (
        BETA_RANGE
        if points is None or points.betas is None
        else (float(points.betas[0]), float(points.betas[-1]))
    )


def check_units(x: np.ndarray) -> float:
    """The mean over numbers of the data's variance, uint8 divided by 255.

    Raises:
        ValueError: all examples are the same, or their root mean square is far from 1.
    """
    values = in_units(x)
    variance = float(values.var(0, dtype=np.float64).mean())
    size = float(np.sqrt(np.square(values, dtype=np.float64).mean()))
    if not variance > 0:
        raise ValueError("the data are all the same: pass examples that differ")
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(
            f"the data's root mean square is {size:.3g}, too far from 1 to train on: pass a value_scale, by which the "
            f"values are divided, such as {float(f'{size:.1g}'):g}"
        )
    return variance


def in_units(x: np.ndarray) -> np.ndarray:
    """Data in the units that a model is trained in: uint8 divided by 255, anything else as it is."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def _patch_size(shape) -> int | None:
    """The largest of some sides that cuts an image into at least 4 by 4 patches, or None."""
    height, width = shape[-2:]
    sides = (side for side in range(8, 1, -1) if not (height % side or width % side))
    return next((side for side in sides if 4 * side <= min(height, width)), None)


def build_model(
    shape, plan: Plan, *, bounded: bool, posterior: str | None = None
) -> VAE | MultiRate:
    """The VAE of a completed plan, multi-rate where it has a range of beta.

    Args:
        shape: of one example: (D,), or (C, H, W) for images.
        plan: as from `complete`.
        bounded: the data keep to [0, 1].
        posterior: as in `VAE`; by default the network's own.

    Raises:
        ValueError: an unknown network, or one that does not fit the shape.
    """
    if plan.network not in NETWORKS:
        raise ValueError(f"network must be one of {sorted(NETWORKS)}, not {plan.network!r}")
    if plan.network != "mlp" and len(shape) != 3:
        raise ValueError(
            f"network {plan.network!r} needs images (C, H, W), not {tuple(shape)}: choose mlp"
        )
    options = dict(likelihood=plan.likelihood, noise_variance=plan.noise_variance)
    options["value_range"] = (0.0, 1.0) if bounded else None
    options |= dict(posterior=posterior) if posterior is not None else {}
    model = NETWORKS[plan.network](tuple(shape), plan.latent_dim, **options)
    return model if plan.beta_range is None else make_multirate(model, beta_range=plan.beta_range)


def _mlp(shape, latent_dim: int, **options) -> VAE:
    return VAE.mlp(shape, latent_dim, (64, 64) if math.prod(shape) <= 64 else (256, 128), **options)


def _patch(shape, latent_dim: int, **options) -> VAE:
    side = _patch_size(shape)
    if side is None:
        raise ValueError(
            f"images of {shape[-2]} x {shape[-1]} cannot be cut into equal patches: choose network mlp"
        )
    return VAE.patch(shape, latent_dim, patch_size=side, channels=16, hidden=(128,), **options)


def _cnn(shape, latent_dim: int, **options) -> VAE:
    return VAE.cnn(shape, latent_dim, width=0.25, **options)


NETWORKS = dict(mlp=_mlp, patch=_patch, conv=VAE.conv, residual=VAE.residual, cnn=_cnn)
