"""Which points, how many, with what guarantee: what anchors say about examples that are none.

Martinez & Pearson (2021) leave the choice of points open (Appendix E); nothing here is theirs.
Letters: N data points, D data dimension, K latent dimension, R Rosetta points or other anchors.
Distances of inputs are Euclidean, of flattened examples in the model's units (uint8 over 255).
"""

import math
from collections.abc import Iterator

import numpy as np
from torch import nn

from rvae_lite.arrays import as_array, as_finite, check_finite, is_number, is_whole
from rvae_lite.models.networks import ResidualBlock, ToPatches
from rvae_lite.models.vae import VAE

BLOCK = 2**20  # numbers that are held at once
QUANTILES = dict(median=0.5, q95=0.95, radius=1.0)
EPS = float(np.finfo(np.float64).eps)


def distances_to_anchors(x, anchors) -> np.ndarray:
    """The distance of each example to its nearest anchor, (N,) float64; 0 for an anchor itself.

    x: data, (N, *data); anchors: inputs, (R, *data).  ValueError: shapes that differ, NaN.
    """
    x, anchors = _inputs(x, anchors)
    centre, distances = anchors.mean(0), np.full(len(x), np.inf)
    own = anchors - centre
    own_squares = np.square(own).sum(1)
    for rows in _blocks(len(x), sum(anchors.shape)):
        block = _in_units(x[rows])
        shifted = block - centre
        squares = np.square(shifted).sum(1, keepdims=True) + own_squares  # (B, R)
        # A product of matrices tells which may be nearest, up to its rounding; those are measured.
        rounding = 4 * (anchors.shape[1] + 8) * EPS * squares.max(1, keepdims=True)
        squares -= 2 * shifted @ own.T
        at, nearest = np.nonzero(squares <= squares.min(1, keepdims=True) + rounding)
        for some in _blocks(len(at), anchors.shape[1]):
            measured = np.linalg.norm(block[at[some]] - anchors[nearest[some]], axis=1)
            np.minimum.at(distances[rows], at[some], measured)
    return distances


def covering(x, anchors) -> dict[str, float]:
    """How far data, (N, *data), lie from their nearest anchors, (R, *data), to six digits.

    radius: the largest distance; median, q95: within which half of the data lie, and 95 %.
    """
    distances = distances_to_anchors(x, anchors)
    found = np.quantile(distances, list(QUANTILES.values()))
    return {name: float(f"{value:.6g}") for name, value in zip(QUANTILES, found, strict=True)}


def farthest_first(x, num_points: int, *, first: int | None = None) -> np.ndarray:
    """Rows (R,) of data whose balls cover the rest: always the datum farthest from those chosen.

    Their covering radius r is at most twice the best of any R points (Gonzalez 1985).  Proof: they
    and the datum at distance r are R + 1 data, r or more apart.  Of any R balls one holds two of
    these, so its radius is r / 2 or more.

    x: data, (N, *data); num_points: R, at most N; first: the row to start from, by default that
    nearest to the data's mean.
    """
    x = np.atleast_1d(as_array("x", x))
    x, _ = _inputs(x, x[:1])
    _check_count(num_points, len(x))
    if first is None:
        centre = x.mean(0, dtype=np.float64) / (255.0 if x.dtype == np.uint8 else 1.0)
        first = int(_distances(x, centre).argmin())
    if not is_whole(first) or not 0 <= first < len(x):
        raise ValueError(f"first must be a row of the data, 0 to {len(x) - 1}, not {first!r}")
    rows, distances = [int(first)], np.full(len(x), np.inf)
    while len(rows) < num_points:
        newest = _distances(x, _in_units(x[rows[-1:]]))
        distances = np.minimum(distances, newest)
        distances[rows] = -1.0  # no datum twice, where all others are duplicates too
        rows.append(int(distances.argmax()))
    return np.array(rows)


def d_optimal(z, num_points: int) -> np.ndarray:
    """Rows (R,) whose v(z) = (1, z) have a large det(V^T V): greedy, by largest leverage.

    The first come from a QR decomposition with pivots.  Each later one has the largest leverage h
    among the rest, by which the determinant grows 1 + h times.  An affine map of the latents
    changes nothing, since they are whitened first; directions in which they do not vary are left
    out.

    z: latents, (N, K); num_points: R, at most N.
    """
    from scipy.linalg import qr

    z = _latents("z", z)
    _check_count(num_points, len(z))
    left, singular, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    varies = singular > max(z.shape) * EPS * (singular[0] + np.abs(z).max())
    v = np.column_stack([np.ones(len(z)), math.sqrt(len(z)) * left[:, varies]])
    rows = qr(v.T, mode="r", pivoting=True)[1][: min(v.shape[1], num_points)].tolist()
    if num_points <= v.shape[1]:
        return np.array(rows)
    inverse = np.linalg.inv(v[rows].T @ v[rows])
    leverages = np.einsum("nk,kl,nl->n", v, inverse, v)
    while len(rows) < num_points:
        leverages[rows] = -1.0  # no datum twice
        rows.append(int(leverages.argmax()))
        # The inverse with one row more (Sherman and Morrison).
        along = inverse @ v[rows[-1]]
        growth = 1 + v[rows[-1]] @ along
        inverse -= np.outer(along, along) / growth
        leverages -= np.square(v @ along) / growth
    return np.array(rows)


def leverage(z, anchors) -> np.ndarray:
    """h(z) = v^T (V^T V)^-1 v, with v = (1, z) and V the anchors' rows: (N,).

    It is 1/R in the anchors' mean, at most 1 at each of them, where it sums to the rank of V, and
    inf where z lies outside of the plane that the anchors span.

    z: latents, (N, K); anchors: (R, K), as many as there are.
    """
    weights, spanned = _weights(z, anchors)
    return np.where(spanned, np.square(weights).sum(1), np.inf)


def covering_bound(x, anchors, errors, *, constant: float) -> np.ndarray:
    """How far f(x) and g(x) can be apart for two maps of known Lipschitz constants: (N,).

        |f(x) - g(x)| <= min_r  e_r + (L + L') d(x, a_r)

    Proof: f - g has the constant L + L', so |f(x) - g(x)| is at most its size at a_r, which is e_r,
    and (L + L') d(x, a_r).  No bound from these numbers is smaller: the right side is itself a map
    of constant L + L' that keeps to e_r at the anchors.

    Args:
        x: data, (N, *data).
        anchors: inputs, (R, *data).
        errors: e_r = |f(a_r) - g(a_r)| or more, (R,), or one number for all.
        constant: L + L', see `lipschitz_bound`.
    """
    x, anchors = _inputs(x, anchors)
    errors = _errors(errors, len(anchors))
    if not is_number(constant) or not 0 <= constant < math.inf:
        raise ValueError(f"constant must be a number from 0 upwards, not {constant!r}")
    bound = np.full(len(x), np.inf)
    for anchor, error in zip(anchors, errors, strict=True):
        np.minimum(bound, error + constant * _distances(x, anchor), out=bound)
    return bound


def affine_bound(z, anchors, errors, *, bend: float = 0.0) -> np.ndarray:
    """How far f(z) and g(z) can be apart for two affine maps of one space: (N,).

        |f(z) - g(z)| <= sum_r |w_r| e_r <= sqrt(h(z) sum_r e_r^2) <= sqrt(R h(z)) max_r e_r

    with w = V (V^T V)^-1 v, |w|^2 = h(z).  Proof: sum_r w_r (1, a_r) = (1, z) and f - g is affine,
    so (f - g)(z) = sum_r w_r (f - g)(a_r); then Cauchy and Schwarz.  The first form is returned.
    For f - g within s of an affine map, e_r + s stands for e_r and s is added: the affine map is at
    most e_r + s at the anchors.

    Args:
        z: where, (N, K).
        anchors: (R, K).
        errors: e_r = |f(a_r) - g(a_r)| or more, (R,), or one number for all.
        bend: s, the largest distance of f - g from some affine map, at z and at the anchors.

    Returns inf where the anchors do not span z.
    """
    if not is_number(bend) or not 0 <= bend < math.inf:
        raise ValueError(f"bend must be a number from 0 upwards, not {bend!r}")
    weights, spanned = _weights(z, anchors)
    errors = _errors(errors, weights.shape[1]) + bend
    return np.where(spanned, np.abs(weights) @ errors + bend, np.inf)


def lipschitz_bound(model: VAE) -> float:
    """A Lipschitz constant of x -> encode(x).mean, certified: the product of its layers' norms.

    |mean(x) - mean(y)| <= L |x - y|, up to rounding, in the model's units.  Linear layers have
    their largest singular value; a convolution that of its matrix on unfolded patches, times
    ceil(kernel / stride), because no pixel is in more than ceil(kernel / stride)^2 of them; a
    residual block 1 + its branch; ReLU and tanh 1.

    ValueError: no plain `VAE`, or a layer of which no norm is known here, such as batch norm.
    """
    if not isinstance(model, VAE):
        remedy = "pass a plain VAE, of a multi-rate model that at one beta"
        raise ValueError(f"no bound is known of a {type(model).__name__}: {remedy}")
    head, bound = model.head, _norm("encoder", model.encoder)
    if head.hidden_dim is None:
        return bound * _largest(head.linear.weight[: model.latent_dim])
    bound *= _largest(head.hidden.weight[: head.hidden_dim])
    return bound * _largest(head.outputs[0].weight)


def _norm(name: str, layer: nn.Module) -> float:
    kind = type(layer)
    if kind in (nn.ReLU, nn.Tanh, nn.Flatten, nn.Identity, ToPatches):
        return 1.0
    if kind is nn.Sequential:
        parts = layer.named_children()
        return math.prod(_norm(f"{name}.{own}", part) for own, part in parts)
    if kind is ResidualBlock:
        return 1 + _norm(f"{name}.branch", layer.branch)
    if kind is nn.Linear:
        return _largest(layer.weight)
    plain = kind is nn.Conv2d and layer.groups == 1 and set(layer.dilation) == {1}
    if plain and layer.padding_mode == "zeros":
        repeats = map(lambda side, step: -(-side // step), layer.kernel_size, layer.stride)
        return _largest(layer.weight.flatten(1)) * math.sqrt(math.prod(repeats))
    known = "use linear layers, plain convolutions, ReLU, tanh and residual blocks"
    raise ValueError(f"no bound is known of layer {name} ({kind.__name__}): {known}")


def _largest(weight) -> float:
    return float(np.linalg.norm(weight.detach().cpu().double().numpy(), 2))


def _weights(z, anchors) -> tuple[np.ndarray, np.ndarray]:
    """The smallest w with sum_r w_r (1, a_r) = (1, z), (N, R), and where there is one, (N,)."""
    z, anchors = _latents("z", z), _latents("anchors", anchors)
    if z.shape[1] != anchors.shape[1]:
        found = f"anchors have {anchors.shape[1]} dimensions, z has {z.shape[1]}"
        raise ValueError(f"{found}: pass both of one space")
    # Seen from an anchor, in columns of size 1: neither a far origin nor units cost digits.
    own, z = anchors - anchors[0], z - anchors[0]
    scale = np.abs(own).max(0)
    scale[scale == 0] = 1.0
    own, z = own / scale, z / scale
    centre = own.mean(0)
    left, singular, axes = np.linalg.svd(own - centre, full_matrices=False)
    rounding = max(anchors.shape) * EPS
    kept = singular > rounding * singular[0]
    left, singular, axes = left[:, kept], singular[kept], axes[kept]
    weights = 1 / len(anchors) + ((z - centre) @ axes.T / singular) @ left.T
    # Off the plane nothing is known, however near: a map may be as steep there as it likes.
    off = np.linalg.norm(z - centre - (z - centre) @ axes.T @ axes, axis=1)
    return weights, off <= 4 * rounding * (1 + np.linalg.norm(z, axis=1))


def _inputs(x, anchors) -> tuple[np.ndarray, np.ndarray]:
    """Data flattened, (N, D), as they are kept, and anchors, (R, D), in the model's units."""
    x, anchors = as_array("x", x), as_array("anchors", anchors)
    if not x.ndim or not x.size or not anchors.size or x.shape[1:] != anchors.shape[1:]:
        found = f"x {x.shape} and anchors {anchors.shape}"
        raise ValueError(f"data and anchors must be examples of one shape, not {found}")
    for name, array in (("x", x), ("anchors", anchors)):
        check_finite(name, array)
    return x.reshape(len(x), -1), _in_units(anchors.reshape(len(anchors), -1))


def _in_units(x: np.ndarray) -> np.ndarray:
    return x / 255.0 if x.dtype == np.uint8 else x.astype(np.float64)


def _distances(x: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Of data (N, D) to one anchor in the model's units: (N,)."""
    rows = _blocks(len(x), x.shape[1])
    parts = [np.linalg.norm(_in_units(x[each]) - anchor, axis=1) for each in rows]
    return np.concatenate(parts)


def _blocks(num_data: int, numbers: int) -> Iterator[slice]:
    """Slices of data of which each takes so many numbers."""
    step = max(1, BLOCK // numbers)
    return (slice(start, start + step) for start in range(0, num_data, step))


def _latents(name: str, z) -> np.ndarray:
    z = as_finite(name, z)
    if z.ndim != 2 or not z.size:
        raise ValueError(f"{name} must be (N, K) with at least one row, not {z.shape}")
    return z


def _errors(errors, num_anchors: int) -> np.ndarray:
    errors = as_finite("errors", errors)
    if errors.shape not in ((), (num_anchors,)) or (errors < 0).any():
        expected = f"a number from 0 upwards or one per anchor ({num_anchors})"
        raise ValueError(f"errors must be {expected}, not {errors.tolist()}")
    return np.broadcast_to(errors, num_anchors)


def _check_count(num_points, num_data: int) -> None:
    if not is_whole(num_points) or not 1 <= num_points <= num_data:
        expected = f"a whole number from 1 to the number of data, {num_data}"
        raise ValueError(f"num_points must be {expected}, not {num_points!r}")
