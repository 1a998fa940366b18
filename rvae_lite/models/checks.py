"""What models ask of options, data and betas, and measures of latents, curves and features.

Each refusal is one sentence.
Letters: M replicas, N data points, B batch, K latent dimension, T points of a curve.
"""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rvae_lite.arrays import as_array, is_number, is_whole, pieces
from rvae_lite.arrays import as_finite as finite


def check_sizes(**sizes: Sequence[int]) -> None:
    """Raises ValueError for a size that is no integer or below 1, or no size at all."""
    for name, values in sizes.items():
        listed = list(values) if np.ndim(values) == 1 else [values]
        if not listed or not all(map(is_whole, listed)) or min(listed) < 1:
            found = listed[0] if len(listed) == 1 else tuple(listed)
            wanted = "positive" if all(map(is_whole, listed)) else "whole and positive"
            raise ValueError(f"{name} must be {wanted}, not {found!r}")


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


def check_known(what: str, name: str, known) -> None:
    """Raises ValueError for a name that is not among the known ones."""
    if name not in known:
        raise ValueError(f"{what} must be one of {list(known)}, not {name!r}")


def check_blocks(blocks: Sequence[int], count: int) -> None:
    """Raises ValueError for counts of residual blocks that are not one per convolution."""
    if len(blocks) != count or min(blocks) < 0:
        raise ValueError(f"blocks must be one count per convolution ({count}), not {tuple(blocks)}")


def check_likelihood(likelihood: str, noise_variance: float) -> None:
    """Raises ValueError for a likelihood that no `VAE` has."""
    if likelihood not in ("gaussian", "bernoulli"):
        raise ValueError(f"likelihood must be 'gaussian' or 'bernoulli', not {likelihood!r}")
    if not is_number(noise_variance) or not 0 < noise_variance < math.inf:
        raise ValueError(f"noise_variance must be positive, not {noise_variance!r}")


def check_scales(shape: tuple, channels: tuple, latent_channels: tuple, cells: int) -> None:
    """Raises ValueError for sizes of which no `LadderVAE` can be built."""
    check_image(shape)
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


def check_kinds(gate, kinds: tuple, known) -> None:
    """Raises ValueError for gates that are not two known ones."""
    if len(kinds) != 2 or any(kind not in known for kind in kinds):
        wanted = f"one of {sorted(known)}, or two (encoder, decoder)"
        raise ValueError(f"gate must be {wanted}, not {gate!r}")


def check_data(model, x, *, minimum: int) -> Tensor:
    """x as a tensor (N, *data) for the model: uint8, float16, or its own floats, in its range.

    A model with `num_tokens` reads integers from 0 to that, and none else.

    Raises:
        ValueError: wrong type, shape or range, NaN or infinite values, fewer than `minimum`
            examples.
    """
    x = x.detach() if _is_plain(x) else _shared(as_array("x", x))
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
    finite = torch.cat([torch.isfinite(part).flatten(1).all(1) for part in pieces(x)])
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
    # float16 fits every type: each batch of it is cast when it is met.
    cast = x if x.dtype == torch.float16 else x.to(next(model.parameters()).dtype)
    if cast.dtype != x.dtype and not torch.isfinite(cast).all():
        largest = float(x.abs().max())
        found = f"x has values up to {largest:.3g}, which do not fit {cast.dtype}"
        raise ValueError(f"{found}: divide them by a value_scale such as {largest:.0e}")
    return cast


def _is_plain(x) -> bool:
    """Whether x is a tensor that `as_array` need not look at."""
    held = isinstance(x, Tensor) and x.layout == torch.strided and not x.is_meta
    return held and not x.is_complex()


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


def _shared(array: np.ndarray) -> Tensor:
    # Of the same memory where it is native and without negative strides; nobody writes to it.
    array = np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C"])
    with warnings.catch_warnings(action="ignore"):  # that the array is read-only
        return torch.from_numpy(array)


def check_latents(name: str, z, latent_dim: int, *, replicas: int | None = None) -> Tensor:
    """Latents as float64, after checking them: (N, K), or where M is given (M, N, K) too."""
    z = _shared(finite(name, z))
    own = replicas is not None and z.ndim == 3 and len(z) == replicas
    if (z.ndim == 2 or own) and z.shape[-1] == latent_dim and z.shape[-2]:
        return z
    also = "" if replicas is None else f" or ({replicas}, N, {latent_dim})"
    raise ValueError(f"{name} must be (N, {latent_dim}){also}, not {tuple(z.shape)}")


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


def latents(name: str, values) -> np.ndarray:
    """Latents (N, K), or a matrix, as float64, after checking it."""
    array = finite(name, values)
    if array.ndim != 2 or not array.size:
        wanted = f"(N, K) with at least one point, not {array.shape}"
        raise ValueError(f"{name} must be {wanted}: pass one replica's means")
    return array


def pair(source, target, *, same_dim: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Latents of the same N data in two spaces, as float64, after checking them."""
    source, target = latents("source", source), latents("target", target)
    if len(source) != len(target):
        found = f"source has {len(source)} points, target {len(target)}"
        raise ValueError(f"{found}: encode the same data with both")
    if same_dim:
        check_same_dim(source, target)
    return source, target


def check_same_dim(source: np.ndarray, target: np.ndarray) -> None:
    """Raises ValueError for two spaces of different K."""
    if source.shape[1] != target.shape[1]:
        found = f"source has {source.shape[1]}, target {target.shape[1]} dimensions"
        raise ValueError(f"K must agree: {found}")


def check_selection(x: np.ndarray, means: np.ndarray, num_points, *, seed: int) -> None:
    """Raises ValueError where R points cannot be chosen from data by their means, (N, K)."""
    if means.ndim != 2 or means.shape[:1] != x.shape[:1]:
        expected = f"(N, K) = ({', '.join(map(str, x.shape[:1]))}, K), one row per datum"
        raise ValueError(f"means must be {expected}, not {means.shape}: pass one replica's")
    if not np.isfinite(means).all():
        remedy = "train again with a lower learning rate"
        raise ValueError(f"means hold NaN or infinite values: {remedy}")
    if not is_whole(num_points) or num_points < 1:
        raise ValueError(f"num_points must be a positive integer, not {num_points!r}")
    if num_points > len(x):
        raise ValueError(f"num_points = {num_points} is more than the {len(x)} data: select fewer")
    if not is_whole(seed) or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, not {seed!r}")


def check_labels(name: str, points: np.ndarray, labels) -> None:
    """Raises ValueError for labels that are not one per point."""
    if np.shape(labels) != (len(points),):
        found = f"not of shape {np.shape(labels)}"
        raise ValueError(f"{name}_labels must be one per point ({len(points)}), {found}")


def replica_means(means) -> tuple[np.ndarray, float]:
    """Means (M, N, K) as float64, and the rounding error of the numbers as they came."""
    array = as_array("means", means)
    if array.ndim != 3 or array.shape[0] < 2 or not array.size:
        wanted = f"(M, N, K) with at least 2 replicas, not {array.shape}"
        raise ValueError(f"means must be {wanted}: train more replicas")
    if not np.isfinite(array).all():
        wrong = "means hold NaN or infinite values"
        raise ValueError(f"{wrong}: check the training that they come from")
    precision = np.finfo(array.dtype if array.dtype.kind == "f" else float).eps
    return array.astype(np.float64), float(precision * np.abs(array).max())


def check_active(means: np.ndarray) -> None:
    """Raises ValueError for means that are not (N, K) of at least 2 data."""
    if means.ndim != 2 or len(means) < 2 or not means.shape[1]:
        wanted = f"(N, K) or (M, N, K) with at least 2 data, not {means.shape}"
        raise ValueError(f"means must be {wanted}: encode more data")


def check_read_off(betas, *, multirate: bool) -> None:
    """Raises ValueError where betas, (T,) or None, do not suit a Fit, multi-rate or plain."""
    if multirate and betas is None:
        need = "a multi-rate Fit answers at every beta: pass betas"
        raise ValueError(f"{need}; a plain Fit has one beta per replica")
    if not multirate and betas is not None:
        raise ValueError("betas are for a multi-rate Fit; a plain Fit has one beta per replica")
    if betas is None:
        return
    betas = np.asarray(betas, dtype=np.float64)
    if betas.ndim != 1 or not len(betas) or not (np.isfinite(betas) & (betas > 0)).all():
        raise ValueError(f"betas must be positive finite numbers, (T,), not {betas.tolist()}")


def rates_and_distortions(name: str, curve) -> tuple[np.ndarray, np.ndarray]:
    """Those of one curve, a table or a pair, each (T,) float64, after checking them."""
    if hasattr(curve, "columns"):
        if "beta" in curve and curve["beta"].duplicated().any():
            wrong = f"{name} has several points at one beta"
            raise ValueError(f"{wrong}: pass one curve, as table[table.replica == 0]")
        curve = [curve[column] for column in ("rate", "distortion") if column in curve]
    if not hasattr(curve, "__len__") or len(curve) != 2:
        raise ValueError(f"{name} must be a pair, or a table with columns rate and distortion")
    rate, distortion = (finite(name, values) for values in curve)
    if rate.ndim != 1 or rate.shape != distortion.shape:
        found = f"not {rate.shape} and {distortion.shape}"
        raise ValueError(f"{name} must be rates and distortions of one length, {found}")
    if len(np.unique(rate)) < 2:
        wanted = f"at least two different rates, not {len(np.unique(rate))}"
        raise ValueError(f"{name} must have {wanted}: take more betas")
    return rate, distortion


def common_range(rates_a: np.ndarray, rates_b: np.ndarray) -> tuple[float, float]:
    """(lowest, highest) rate that two curves of ascending rates have in common, if any."""
    low, high = max(rates_a[0], rates_b[0]), min(rates_a[-1], rates_b[-1])
    if not low < high:
        ranges = f"curve_a has rates {rates_a[0]:.4g} to {rates_a[-1]:.4g}, "
        ranges += f"curve_b {rates_b[0]:.4g} to {rates_b[-1]:.4g}"
        remedy = "they have no range in common, so choose betas that give one"
        raise ValueError(f"{ranges}: {remedy}")
    return low, high


def two_sets(a, b) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, F) and (N', F) of two sets of images as float64, after checking them."""
    a, b = finite("a", a), finite("b", b)
    for name, features in (("a", a), ("b", b)):
        if features.ndim != 2 or len(features) < 2 or not features.shape[1]:
            wanted = f"features (N, F) of at least 2 examples, not {features.shape}"
            raise ValueError(f"{name} must be {wanted}")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features, b {b.shape[1]}: take both from one encoder")
    return a, b


def check_beta_given(beta, *, gated: bool) -> None:
    """Raises ValueError where a multi-rate model is used without a beta, or a plain one with it."""
    if beta is not None and not gated:
        reason = "this model answers at the beta it was trained with"
        raise ValueError(f"beta is for multi-rate models; {reason}")
    if beta is None and gated:
        remedy = "pass beta=, a number or one per example"
        raise ValueError(f"a multi-rate model answers at every beta: {remedy}")


def outside_range(low: float, high: float, beta_range: tuple[float, float]) -> str | None:
    """What is wrong with betas from `low` to `high` where they leave the range of training."""
    lowest, highest = beta_range
    if low >= lowest * (1 - 1e-6) and high <= highest * (1 + 1e-6):
        return None
    wrong = low if low < lowest else high
    return f"beta {wrong:g} is outside [{lowest:g}, {highest:g}], the range of training"


def check_one_each(h: Tensor, num_data: int) -> None:
    """Raises ValueError where betas, (B,), are not one per example."""
    if len(h) != num_data:
        counts = f"{len(h)} entries for {num_data} examples"
        raise ValueError(f"beta has {counts}: pass a number or one per example")
