"""What models ask of their options, data, latents and betas: each refusal is one sentence.

Letters: M replicas, N data points, B batch, K latent dimension.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rvae_lite.checks import is_number


def check_sizes(**sizes: Sequence[int]) -> None:
    """Raises ValueError for a size below 1, or no size at all."""
    for name, values in sizes.items():
        if min(values, default=0) < 1:
            found = values[0] if len(values) == 1 else tuple(values)
            raise ValueError(f"{name} must be positive, not {found}")


def check_image(shape: tuple[int, ...], factor: int = 1, reason: str = "") -> None:
    """Raises ValueError where a shape is no image's, or H or W do not divide by the factor."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"data_shape must be (channels, height, width), not {shape}")
    if shape[1] % factor or shape[2] % factor:
        wanted = f"must divide by {factor} in height and width for {reason}"
        raise ValueError(f"data_shape {shape} {wanted}: crop or pad the images")


def check_strided(shape: tuple[int, ...], count: int, width: float) -> None:
    """Raises ValueError for images too small for `count` convolutions of stride 2, or no width."""
    check_image(shape)
    if min(shape[1:]) < 2**count:
        wanted = f"at least {2**count} in height and width"
        raise ValueError(f"data_shape {shape} must be {wanted}: pad the images")
    if not width > 0:
        raise ValueError(f"width must be positive, not {width}")


def check_likelihood(likelihood: str, noise_variance: float) -> None:
    """Raises ValueError for a likelihood that no `VAE` has."""
    if likelihood not in ("gaussian", "bernoulli"):
        raise ValueError(f"likelihood must be 'gaussian' or 'bernoulli', not {likelihood!r}")
    if not noise_variance > 0:
        raise ValueError(f"noise_variance must be positive, not {noise_variance}")


def check_scales(shape: tuple, channels: tuple, latent_channels: tuple, cells: int) -> None:
    """Raises ValueError for sizes of which no `LadderVAE` can be built."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"data_shape must be (channels, height, width), not {shape}")
    wanted = "channels must be positive, one number per scale and one scale at least"
    if not channels or min(channels) < 1:
        raise ValueError(f"{wanted}, not {channels}")
    wanted = f"positive, one number for each of the {len(channels)} scales of channels"
    if len(latent_channels) != len(channels) or min(latent_channels) < 1:
        raise ValueError(f"latent_channels must be {wanted}, not {latent_channels}")
    if isinstance(cells, bool) or not isinstance(cells, int) or cells < 1:
        raise ValueError(f"cells must be a positive integer, not {cells!r}")
    factor = 2 ** len(channels)
    if shape[1] % factor or shape[2] % factor:
        wanted = f"divide by {factor} in height and width for {len(channels)} scales"
        remedy = "crop or pad the images, or take fewer scales"
        raise ValueError(f"data_shape {shape} must {wanted}: {remedy}")


def check_gate_options(outside, tilt, gate_speed) -> None:
    """Raises ValueError for options of `make_multirate` that are impossible."""
    if outside not in ("warn", "refuse"):
        raise ValueError(f"outside must be 'warn' or 'refuse', not {outside!r}")
    if not is_number(tilt) or not 0 <= tilt < math.inf:
        raise ValueError(f"tilt must be a number from 0 upwards, not {tilt!r}")
    if not is_number(gate_speed) or not 0 < gate_speed < math.inf:
        raise ValueError(f"gate_speed must be a positive number, not {gate_speed!r}")


def check_data(model, x, *, minimum: int) -> Tensor:
    """x as a tensor (N, *data) for the model: uint8, or finite floats in the declared range.

    A model with `num_tokens` reads integers from 0 to that, and none else.

    Raises:
        ValueError: wrong type, shape or range, NaN or infinite values, fewer than `minimum`
            examples.
    """
    try:
        x = x.detach() if isinstance(x, Tensor) else torch.from_numpy(_plain(np.asarray(x)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"x must be a numeric array of shape (N, *data): {error}") from error
    shape = tuple(model.data_shape)
    if x.ndim != len(shape) + 1 or tuple(x.shape[1:]) != shape:
        wanted = f"(N, {', '.join(map(str, shape))}) for this model"
        raise ValueError(f"x must be {wanted}, not {tuple(x.shape)}")
    if len(x) < minimum:
        count = f"{len(x)} example{'s' * (len(x) != 1)}"
        raise ValueError(f"x holds {count}, at least {minimum} needed: pass more data")
    if getattr(model, "num_tokens", None) is not None:
        return _checked_tokens(x, model.num_tokens)
    if x.dtype == torch.uint8:
        return x
    if not x.is_floating_point():
        remedy = "convert it to floats in the model's units, or to uint8 for images"
        raise ValueError(f"x holds {x.dtype}: {remedy}")
    finite = torch.isfinite(x).flatten(1).all(1)
    if not finite.all():
        bad = (~finite).nonzero().flatten().tolist()
        where = f"in {len(bad)} examples, first in {bad[0]}"
        raise ValueError(f"x has NaN or infinite values {where}: drop them")
    if model.value_range is not None:
        low, high = model.value_range
        smallest, largest = float(x.min()), float(x.max())
        if smallest < low or largest > high:
            ranges = f"[{smallest:.4g}, {largest:.4g}], the model over [{low:g}, {high:g}]"
            remedy = "rescale x (uint8 images are rescaled by themselves)"
            raise ValueError(f"x ranges over {ranges}: {remedy}")
    return x.to(next(model.parameters()).dtype)


def _checked_tokens(x: Tensor, num_tokens: int) -> Tensor:
    """Tokens (N, T) as int64, every one known to the model."""
    if x.is_floating_point() or x.dtype == torch.bool:
        remedy = "pass integers, as Vocabulary.encode gives"
        raise ValueError(f"x holds {x.dtype}, but this model reads tokens: {remedy}")
    smallest, largest = int(x.min()), int(x.max())
    if smallest < 0 or largest >= num_tokens:
        found = f"tokens from {smallest} to {largest}, the model knows 0 to {num_tokens - 1}"
        remedy = "encode the texts with the vocabulary that the model was built for"
        raise ValueError(f"x holds {found}: {remedy}")
    return x.long()


def _plain(array: np.ndarray) -> np.ndarray:
    # Torch shares an array's memory only if it is writable, native and without negative strides;
    # others are copied.
    return np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "W"])


def check_latents(name: str, z: Tensor, latent_dim: int, *, replicas: int | None = None) -> None:
    """Raises ValueError for latents that are not (N, K), nor (M, N, K) where M is given."""
    own = replicas is not None and z.ndim == 3 and len(z) == replicas
    if (z.ndim == 2 or own) and z.shape[-1] == latent_dim and z.shape[-2]:
        return
    expected = f"(N, {latent_dim})"
    if replicas is not None:
        expected += f" or ({replicas}, N, {latent_dim})"
    raise ValueError(f"{name} must be {expected}, not {tuple(z.shape)}")


def positive_betas(beta, *, device: torch.device) -> Tensor:
    """A number, or one per example, as () or (B,) float64, after checking that it is positive."""
    expected = "beta must be a number or one per example"
    try:
        values = beta if isinstance(beta, Tensor) else np.asarray(beta, dtype=np.float64)
        values = torch.as_tensor(values, dtype=torch.float64, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{expected}, not {beta!r}") from error
    if values.ndim > 1 or not values.numel():
        raise ValueError(f"{expected}, (B,), not of shape {tuple(values.shape)}")
    low, high = float(values.min()), float(values.max())
    if not (low > 0 and math.isfinite(high)):
        wrong = high if low > 0 else low
        raise ValueError(f"beta must be positive and finite, not {wrong:g}")
    return values
