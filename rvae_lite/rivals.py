"""Alignment after training: maps between two latent spaces, fitted on what they make of R anchors.

Moschella et al. (2023) for relative representations, Maiorca et al. (2024) for the way back; exact
leave-one-out errors as by Allen (1974).  Everything is float64.
Letters: N data points, K latent dimension, R anchors, S strengths.
"""

from collections.abc import Callable

import numpy as np

from rvae_lite.alignment import LinearMap, linear_map, orthogonal_map
from rvae_lite.models import checks

STRENGTHS = 10.0 ** np.arange(-8, 2.5, 0.5)  # of the penalty, against the anchors' mean square
WIDTHS = (0.5, 1.0, 2.0)  # of a bend, against the anchors' root mean square length
HEIGHTS = (0.1, 1.0, 10.0)  # of a bend, against the linear part
FLAT = 1e-6  # of the widest direction: in narrower ones anchors do not spread


class TooFewAnchors(ValueError):
    """Anchors that do not determine a map."""


def _mean_square(points: np.ndarray) -> float:
    """Mean squared length about their mean; 1 for points that coincide."""
    return float(np.square(points - points.mean(0)).sum(1).mean()) or 1.0


def similarity_map(source, target) -> LinearMap:
    """The rotation or reflection, scale and shift that bring source, (R, K), closest to target."""
    source, target = checks.pair(source, target, same_dim=True)
    centre_source, centre_target = source.mean(0), target.mean(0)
    u, singular, vt = np.linalg.svd((target - centre_target).T @ (source - centre_source))
    matrix = singular.sum() / (len(source) * _mean_square(source)) * (u @ vt)
    return LinearMap(matrix, centre_target - matrix @ centre_source)


def ridge_map(source, target) -> LinearMap:
    """The affine map from anchors (R, K_source) to (R, K_target) with a penalty on its matrix.

    min over A, b of sum |A source + b - target|^2 + strength R s^2 |A|^2, s^2 the mean square of
    source about its mean; of STRENGTHS the one with the lowest leave-one-out error.

    The matrix is drawn to 0.  Drawn to the best similarity it was mostly farther away on images
    with R = K, as near with more anchors, and nearer with 3 to 5 anchors in two dimensions.
    """
    source, target = checks.pair(source, target)
    size, centre = _mean_square(source), source.mean(0)
    x = (source - centre) / size**0.5
    _, weights = _left_out(x @ x.T, target)
    matrix = weights.T @ x / size**0.5
    return LinearMap(matrix, target.mean(0) - matrix @ centre)


def _left_out(kernel: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """The lowest leave-one-out error over the strengths, and its weights (R, K).

    The function is kernel @ weights + shift, without a penalty on the shift.
    """
    count, centred = len(kernel), target - target.mean(0)
    kernel = kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean()
    # The shift's direction, lifted above the others, comes last and is left out.
    values, vectors = np.linalg.eigh(kernel + 2 * max(np.trace(kernel), 1) / count)
    values, vectors = np.maximum(values[:-1], 0), vectors[:, :-1]
    shrunk = 1 / (values[:, None] + STRENGTHS * count)  # (R - 1, S)
    weights = vectors @ (shrunk.T[:, :, None] * (vectors.T @ centred))  # (S, R, K)
    diagonal = np.maximum(np.square(vectors) @ shrunk, 1e-300)  # (R, S)
    # Without anchor i its residual is weight i over entry i of the inverse's diagonal.
    errors = np.square(weights / diagonal.T[:, :, None]).sum(2).mean(1)
    return float(errors.min()), weights[errors.argmin()]


def smooth_map(source, target) -> Callable:
    """A map that bends: Gaussian-process regression on anchors (R, K_source) to (R, K_target).

    The covariance is linear, so that the map is affine far from the anchors, plus a multiple of
    Hardy's multiquadric -(1 + |z - z'|^2 / width^2)^(1/2).  Width, height and noise have the
    lowest leave-one-out error; without a bend the map is the ridge map.

    Thin plates came as near, but need R > K; Gaussian bumps, whose width overfits, did not.
    """
    from scipy.spatial.distance import cdist

    source, target = checks.pair(source, target)
    size, centre = _mean_square(source), source.mean(0)
    anchors = (source - centre) / size**0.5

    def covariance(x: np.ndarray, width: float, height: float) -> np.ndarray:
        bend = np.sqrt(1 + np.square(cdist(x, anchors) / width))
        return x @ anchors.T - height * bend

    bends = [(1.0, 0.0), *((width, height) for width in WIDTHS for height in HEIGHTS)]
    fits = [_left_out(covariance(anchors, *bend), target) for bend in bends]
    best = min(range(len(bends)), key=lambda i: fits[i][0])
    bend, weights = bends[best], fits[best][1]
    shift = target.mean(0) - (covariance(anchors, *bend) @ weights).mean(0)

    def mapped(z) -> np.ndarray:
        """Points (N, K_source) as points (N, K_target)."""
        x = (checks.latents("source", z) - centre) / size**0.5
        return covariance(x, *bend) @ weights + shift

    return mapped


def relative(z, anchors, *, kind: str = "cosine") -> np.ndarray:
    """Relative representations: what points (N, K) are to anchors (R, K), as (N, R).

    Args:
        z, anchors: latents of one space.
        kind: "cosine", of the angles about the anchors' mean, 0 for a point there; or "distance",
            the Euclidean one.

    Differs from the paper: its angles are about the origin, which another training moves.
    """
    z, anchors = checks.latents("z", z), checks.latents("anchors", anchors)
    checks.check_known("kind", kind, ["cosine", "distance"])
    if z.shape[1] != anchors.shape[1]:
        found = f"z has {z.shape[1]}, anchors {anchors.shape[1]} dimensions"
        raise ValueError(f"K must agree: {found}")
    if kind == "cosine":
        centre = anchors.mean(0)
        return _directions(z - centre) @ _directions(anchors - centre).T
    from scipy.spatial.distance import cdist

    return cdist(z, anchors)


def _directions(points: np.ndarray) -> np.ndarray:
    """Points (N, K) at length 1; those at 0 stay."""
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300)


def relative_map(source, target, *, kind: str = "cosine") -> Callable:
    """From a space to another one by relative representations, and back to coordinates.

    What a point is to the source's anchors, (R, K_source), it shall be to the target's,
    (R, K_target), by least squares.  Cosines give a direction, the length is the point's own;
    squared distances are linear in the place once their mean over anchors is subtracted.  Lengths
    are multiplied by the ratio of the anchors' root mean squares.

    Differs from the paper: as many of the target's leading directions are used as bring the
    source's anchors closest to the target's.  All of them divide by those that a model leaves
    empty, and points land hundreds of standard deviations away.
    """
    source, target = checks.pair(source, target)
    centre_source, centre_target = source.mean(0), target.mean(0)
    scale, anchors = (_mean_square(target) / _mean_square(source)) ** 0.5, target - centre_target

    def place(z: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        seen = relative(z, source, kind=kind)  # (N, R)
        if kind == "cosine":
            length = scale * np.linalg.norm(z - centre_source, axis=1, keepdims=True)
            return centre_target + length * _directions(seen @ inverse.T)
        squares = np.square(anchors).sum(1) - np.square(scale * seen)
        return centre_target + (squares - squares.mean(1, keepdims=True)) @ inverse.T / 2

    equations = _directions(anchors) if kind == "cosine" else anchors
    u, widths, vt = np.linalg.svd(equations, full_matrices=False)
    ranks = range(_num_directions(anchors) + 1)
    inverses = [vt[:k].T / widths[:k] @ u[:, :k].T for k in ranks]
    best = min(inverses, key=lambda one: np.square(place(source, one) - target).sum())
    return lambda z: place(checks.latents("source", z), best)


def _num_directions(points: np.ndarray) -> int:
    """In how many directions points (R, K) spread."""
    widths = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return int((widths > max(FLAT * widths[0], 1e-300)).sum())


def _num_different(points: np.ndarray) -> int:
    """How many of points (R, K) are different."""
    steps = (points - points.mean(0)) / (FLAT * _mean_square(points) ** 0.5)
    return len(np.unique(np.rint(steps) + 0.0, axis=0))


MAPS = {
    "rotation": orthogonal_map,
    "rotation and scale": similarity_map,
    "affine": linear_map,
    "ridge affine": ridge_map,
    "smooth": smooth_map,
    "relative cosines": relative_map,
    "relative distances": lambda source, target: relative_map(source, target, kind="distance"),
}
# Different anchors that each map needs in K dimensions.  With K anchors a rotation is known up to
# a mirror.
NEEDS = {
    "rotation": lambda dim: max(dim, 2),
    "rotation and scale": lambda dim: max(dim, 2),
    "affine": lambda dim: dim + 1,
    "ridge affine": lambda dim: 3,
    "smooth": lambda dim: 3,
    "relative cosines": lambda dim: 3,
    "relative distances": lambda dim: 3,
}
# The spaces in which they must span one direction less.
SPANNED = {
    "rotation": ("source", "target"),
    "rotation and scale": ("source", "target"),
    "affine": ("source",),
    "ridge affine": (),
    "smooth": (),
    "relative cosines": (),
    "relative distances": (),
}
ONE_DIM = ("rotation", "rotation and scale")


def fit_map(name: str, source, target) -> Callable:
    """One of MAPS, fitted on anchors (R, K_source) towards (R, K_target): (N, K_source) in.

    Raises:
        ValueError: an unknown name, arrays that do not fit, K that differ where the map needs one
            K.
        TooFewAnchors: fewer different anchors than it needs, or anchors that do not span the space.
    """
    checks.check_known("name", name, MAPS)
    source, target = checks.pair(source, target)
    dims = source.shape[1], target.shape[1]
    usable = [other for other in MAPS if other not in ONE_DIM or dims[0] == dims[1]]
    if name not in usable:
        found = f"source has {dims[0]}, target {dims[1]} dimensions"
        raise ValueError(f"{name} needs one K, and {found}: take one of {usable}")
    needs = {one: NEEDS[one](dims[one.startswith("relative")]) for one in usable}
    for label, points in (("source", source), ("target", target)):
        _check_enough(name, label, points, needs)
    return MAPS[name](source, target)


def _check_enough(name: str, label: str, points: np.ndarray, needs: dict) -> None:
    """Raises TooFewAnchors where those of one space, (R, K), do not determine a map."""
    need, different, spread = needs[name], _num_different(points), _num_directions(points)
    wanted, found = f"{need} different anchors", f"{label} has {different}"
    spans = label in SPANNED[name]
    if different >= need and (spread >= need - 1 or not spans):
        return
    if spans:
        wanted, found = f"{wanted} that span {need - 1} directions", f"{found} that span {spread}"
    fewer = [f"{one} ({count})" for one, count in needs.items() if count < need]
    remedy = f", or take a map that needs fewer: {', '.join(fewer)}" if fewer else ""
    raise TooFewAnchors(f"{name} needs {wanted}, and {found}: pass more{remedy}")
