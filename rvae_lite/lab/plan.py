"""How to train a laboratory's own data, chosen from their shape and spread alone.

So two laboratories that have never met choose alike.  Letters: N examples, K latent dimension.
"""

import math
from typing import TYPE_CHECKING, Annotated, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from rvae_lite.models.vae import VAE
    from rvae_lite.multirate import MultiRate
    from rvae_lite.rosetta import RosettaPoints

RHO = 2.75  # weight of the Rosetta points, where nothing else is said
SMALLEST, LARGEST = 1e-3, 1e3  # root mean squares outside of which values are in unsuitable units
NOISE_SHARE = 0.1  # of the data's variance: the likelihood's noise, where nothing else is said
NOISE_FACTOR = 1e4  # times or parts of the data's variance beyond which a noise makes no sense
STEPS = 2500  # of a training, about; of a multi-rate one twice as many
FEWEST_EPOCHS, MOST_EPOCHS = 20, 400
LARGEST_PATCH = 8


class Choice(NamedTuple):
    """A choice as a command offers it: what it means, and the smallest and largest number."""

    help: str
    min: float | None = None
    max: float | None = None


Seed = Annotated[int, Choice("Of everything random.", min=0)]


class Plan(NamedTuple):
    """How to train; what is None is chosen by `complete`.

    Besides the choices that tell of themselves:

    Attributes:
        beta: weight of the rate, by default 1; None for a multi-rate model.
        beta_range: (lowest, highest) beta of a multi-rate model; None for a plain one.
        rho: weight of the points, 0 without any.
    """

    network: Annotated[
        str | None, Choice("mlp, patch, conv, residual or cnn; by default by the data's shape.")
    ] = None
    latent_dim: Annotated[
        int | None, Choice("K; by default the points', else 8, or 2 for few numbers.", min=1)
    ] = None
    likelihood: Annotated[
        str | None,
        Choice("gaussian or bernoulli; by default the points' maker's, or gaussian."),
    ] = None
    noise_variance: Annotated[
        float | None,
        Choice("Gaussian noise, squared data units; by default a tenth of the variance."),
    ] = None
    beta: float | None = None
    beta_range: tuple[float, float] | None = None
    rho: float = RHO
    epochs: Annotated[
        int | None, Choice("By default about 2,500 steps, multi-rate twice as many.", min=1)
    ] = None
    batch_size: Annotated[int | None, Choice("By default 64, less for few data.", min=1)] = None
    learning_rate: Annotated[float, Choice("Learning rate of Adam.")] = 1e-3
    held_out: Annotated[
        float,
        Choice("Share of the data that is not trained on but measured.", min=0.0, max=0.9),
    ] = 0.1
    seed: Seed = 0


def complete(plan: Plan, x: "np.ndarray", points: "RosettaPoints | None" = None) -> Plan:
    """The plan with every None filled in from the data's shape and spread, and from the points.

    Args:
        plan: what is known.
        x: data, (N, *data).
        points: those that will be trained into, or None.

    Raises:
        ValueError: data of one value, or in units far from 1.
    """
    variance = check_units(x)
    many = plan.beta_range is not None
    num_train = max(2, round((1 - plan.held_out) * len(x)))
    batch_size = _first(plan.batch_size, min(64, max(8, num_train // 16)))
    epochs = math.ceil(STEPS * batch_size / num_train)
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, epochs))
    noise_variance = float(f"{NOISE_SHARE * variance:.2g}")
    latent_dim = 8 if math.prod(x.shape[1:]) >= 32 else 2
    theirs = {}
    if points is not None:
        theirs = points.header.get("model") or {}
        latent_dim = points.z.shape[-1]
    if plan.noise_variance is None:
        plan = plan._replace(noise_variance=_first(_noise_of(theirs, variance), noise_variance))
    return plan._replace(
        network=plan.network or ("patch" if _patch_size(x.shape[1:]) else "mlp"),
        latent_dim=_first(plan.latent_dim, latent_dim),
        likelihood=plan.likelihood or theirs.get("likelihood") or "gaussian",
        beta=None if many else _first(plan.beta, 1.0),
        rho=0.0 if points is None else plan.rho,
        epochs=_first(plan.epochs, 2 * epochs if many else epochs),
        batch_size=batch_size,
    )


def _first(*values):
    """The first that is not None; a 0 that was asked for is refused later, and not passed over."""
    return next(value for value in values if value is not None)


def _noise_of(model: dict, variance: float) -> float | None:
    """The noise variance of the points' maker, unless it makes no sense for these data."""
    noise = model.get("noise_variance")
    if noise is not None and not variance / NOISE_FACTOR < noise < variance * NOISE_FACTOR:
        found = f"noise variance {noise:.3g}, the data have a variance of {variance:.3g}"
        raise ValueError(f"the points' maker used {found}: choose a noise_variance yourself")
    return noise


def beta_range_of(points: "RosettaPoints | None" = None) -> tuple[float, float]:
    """The range of a multi-rate model: that of the points' curves, or 0.01 to 10 without any."""
    if points is not None and points.betas is not None:
        return float(points.betas[0]), float(points.betas[-1])
    from rvae_lite.multirate import BETA_RANGE

    return BETA_RANGE


def check_units(x: "np.ndarray") -> float:
    """The mean over numbers of the data's variance, uint8 divided by 255.

    Raises:
        ValueError: all examples are the same, or their root mean square is far from 1.
    """
    from rvae_lite.arrays import root_mean_square, variances

    variance, size = float(variances(x).mean()), root_mean_square(x)
    if not variance > 0:
        raise ValueError("the data are all the same: pass examples that differ")
    if not SMALLEST <= size <= LARGEST:
        found = f"the data's root mean square is {size:.3g}, too far from 1 to train on"
        remedy = f"by which the values are divided, such as {float(f'{size:.1g}'):g}"
        raise ValueError(f"{found}: pass a value_scale, {remedy}")
    return variance


def are_bounded_images(x: "np.ndarray", points: "RosettaPoints | None" = None) -> bool:
    """Whether data, and the points' inputs, are images with values from 0 to 1."""
    arrays = [x] if points is None else [x, points.x]
    floats = [each for each in arrays if each.dtype != "uint8"]
    return x.ndim == 4 and all(each.min() >= 0 and each.max() <= 1 for each in floats)


def build_model(shape, plan: Plan, *, bounded: bool, **sizes) -> "VAE | MultiRate":
    """The VAE of a completed plan, multi-rate where the plan has a range of beta.

    Args:
        shape: of one example: (D,), or (C, H, W) for images.
        plan: as from `complete`.
        bounded: the data keep to [0, 1].
        sizes: options of the network's constructor, such as `posterior`, in place of the usual.

    Raises:
        ValueError: an unknown network, or one that does not fit the shape.
    """
    from rvae_lite.models.vae import VAE
    from rvae_lite.multirate import make_multirate

    if plan.network not in NETWORKS:
        raise ValueError(f"network must be one of {sorted(NETWORKS)}, not {plan.network!r}")
    if plan.network != "mlp" and len(shape) != 3:
        expected = f"needs images (C, H, W), not {tuple(shape)}"
        raise ValueError(f"network {plan.network!r} {expected}: choose mlp")
    model = getattr(VAE, plan.network)(
        tuple(shape),
        plan.latent_dim,
        likelihood=plan.likelihood,
        noise_variance=plan.noise_variance,
        value_range=(0.0, 1.0) if bounded else None,
        **NETWORKS[plan.network](shape) | sizes,
    )
    return model if plan.beta_range is None else make_multirate(model, beta_range=plan.beta_range)


def _mlp_sizes(shape) -> dict:
    return dict(hidden=(64, 64) if math.prod(shape) <= 64 else (256, 128))


def _patch_sizes(shape) -> dict:
    side = _patch_size(shape)
    if side is None:
        size = f"{shape[-2]} x {shape[-1]}"
        raise ValueError(f"images of {size} cannot be cut into equal patches: choose network mlp")
    return dict(patch_size=side, channels=16, hidden=(128,))


def _patch_size(shape) -> int | None:
    """The largest side that cuts an image into at least 4 by 4 equal patches, or None."""
    if len(shape) != 3:
        return None
    height, width = shape[-2:]
    for side in range(LARGEST_PATCH, 1, -1):
        equal = height % side == 0 and width % side == 0
        if equal and 4 * side <= min(height, width):
            return side
    return None


NETWORKS = {  # constructor of `VAE` -> its sizes for the shape of one example
    "mlp": _mlp_sizes,
    "patch": _patch_sizes,
    "conv": lambda shape: {},
    "residual": lambda shape: {},
    "cnn": lambda shape: dict(width=0.25),
}
