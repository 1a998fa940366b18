"""What is to be compared: saved Fits and encoded arrays, brought to common examples and common anchors.

Letters: S spaces, N examples, K latent dimension, R anchors.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import LinearMap, linear_map, mean_squared_distance, total_variance
from rvae_lite.anchors import NUM_BETAS
from rvae_lite.fitted import Fit
from rvae_lite.lab.reading import read_data
from rvae_lite.multirate import is_multirate
from rvae_lite.rosetta import RosettaPoints

MOST_EXAMPLES = 5000
COLLAPSED = 0.01  # total variance below which a space is no more: no unit is active


class Spaces(NamedTuple):
    """means: name -> (N, K).  anchors: rows of them, (R,), or None; anchor_means: else name -> (R, K), or None.

    rows: which of the given examples they are, (N,).  notes: sentences on where they come from.
    betas: name -> the beta that a space is of, where it is known.
    over_beta: name -> (betas, distances), see `distances_over_beta`.
    """

    means: dict
    anchors: np.ndarray | None
    anchor_means: dict | None
    rows: np.ndarray
    notes: list
    betas: dict
    over_beta: dict


def gather_spaces(
    sources: dict,
    *,
    x=None,
    points: RosettaPoints | None = None,
    beta: float | None = None,
    seed: int = 0,
) -> Spaces:
    """Encode common data with saved Fits, every replica a space, and read arrays of means beside them.

    Args:
        sources: name -> path of a saved Fit, or of a .npy array of posterior means, (N, K); "PATH@BETA" reads a
            multi-rate Fit at that beta, or says at which an array was encoded.
        x: the common data, (N, *data); needed for Fits.
        points: Rosetta points whose inputs are the anchors; with arrays among the sources they must be among x.
        beta: at which multi-rate Fits are read whose path does not say.
        seed: of the choice of 5,000 examples where there are more.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: sources, data and points do not fit.
    """
    x = None if x is None else np.asarray(x)
    fits, arrays, read_at = {}, {}, {}
    for name, source in sources.items():
        path, at = split_beta(source)
        if Path(path).suffix.lower() == ".npy":
            arrays[name], read_at[name] = _read_means(path), at
        else:
            fits[name] = Fit.load(path)
            read_at[name] = _own_beta(fits[name], path, at=at, beta=beta)
    num_data = _common_length(fits, arrays, x)
    anchors = _rows_of(points, x) if points is not None and x is not None else None
    if points is not None and arrays and anchors is None:
        raise ValueError(
            "the points' inputs are not among the data, so encoded arrays have no latents for them: encode them with "
            "their models, or leave the points out"
        )
    rows = _some(num_data, anchors, seed)
    notes = (
        []
        if len(rows) == num_data
        else [f"{len(rows):,} of {num_data:,} examples were drawn at random"]
    )
    means, anchor_means, betas = {}, {}, {}
    for name, at in read_at.items():
        if name in arrays:
            means[name], betas[name] = arrays[name][rows], at
            notes.append(
                f"{name} was read from encoded means" + ("" if at is None else f" of beta {at:g}")
            )
            continue
        fit, names = fits[name], _replica_names(name, fits[name])
        means |= dict(zip(names, _encode(fit, x[rows], at), strict=True))
        betas |= dict(zip(names, fit.beta.tolist() if at is None else [at] * len(fit), strict=True))
        notes.append(_origin(name, fit, at))
        if points is not None and anchors is None:
            anchor_means |= dict(zip(names, _encode(fit, points.x, at), strict=True))
    if points is not None:
        notes.append(f"the anchors are the inputs of {len(points)} Rosetta points")
    places = None if anchors is None else np.searchsorted(rows, np.sort(anchors))
    betas = {name: at for name, at in betas.items() if at is not None}
    over_beta = distances_over_beta(fits, x[rows]) if next(iter(sources)) in fits else {}
    return Spaces(means, places, anchor_means or None, rows, notes, betas, over_beta)


def split_beta(source) -> tuple[str, float | None]:
    """PATH@BETA as (path, beta); any other text, and a path that exists as it is, as (path, None)."""
    path, _, at = str(source).rpartition("@")
    try:
        return (str(source), None) if Path(source).exists() or not path else (path, float(at))
    except ValueError:
        return str(source), None


def _own_beta(fit: Fit, path: str, *, at: float | None, beta: float | None) -> float | None:
    """At which beta a Fit is read; None for a plain one."""
    if not is_multirate(fit.model):
        if at is not None and not np.isclose(fit.beta, at).all():
            own = ", ".join(sorted({f"{value:g}" for value in fit.beta}))
            raise ValueError(
                f"{path} is a plain model of beta {own}: it cannot be read at {at:g}, leave @{at:g} out"
            )
        return None
    if at is None and beta is None:
        raise ValueError(
            f"{path} is a multi-rate model: say at which beta to read it, as in {path}@0.5, or by beta"
        )
    return beta if at is None else at


def known_maps(points: RosettaPoints, betas: dict) -> dict:
    """How the space of one beta becomes that of another, from the curves of a file alone: an affine map.

    It is fitted on z_r(beta of source) -> z_r(beta of target), so that it holds for models trained with those points.

    Args:
        points: curves; plain points know no map.
        betas: name -> beta of a space.

    Returns:
        (source, target) -> LinearMap; between spaces of one beta it is the identity.
    """
    if points.betas is None:
        return {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the points are known for beta in", UserWarning)
        z = {name: points.z_at(beta) for name, beta in betas.items() if beta > 0}
    same = LinearMap(np.eye(points.z.shape[-1]), np.zeros(points.z.shape[-1]))
    pairs = [(a, b) for a in z for b in z if a != b]
    return {(a, b): same if betas[a] == betas[b] else linear_map(z[a], z[b]) for a, b in pairs}


def distances_over_beta(fits: dict, x: np.ndarray) -> dict:
    """How far spaces are from the first one's at the same beta, unaligned, where the first is a multi-rate model.

    Args:
        fits: name -> Fit; of the first, replica 0 is the reference.
        x: the common data, (N, *data).

    Returns:
        name -> (betas, mean squared distances as shares of the reference's total variance); of a multi-rate Fit over
        the range that both have, of a plain one at its own beta.  Where the reference has collapsed there is no value.
    """
    found, reference = {}, next(iter(fits.values())).select([0])
    if not is_multirate(reference.model):
        return {}
    singles = [
        (label, fit.select([m]))
        for name, fit in fits.items()
        for m, label in enumerate(_replica_names(name, fit))
    ]
    for label, fit in singles[1:]:
        if fit.model.latent_dim == reference.model.latent_dim:
            shares = {
                beta: _distance_at(beta, reference, fit, x)
                for beta in _common_betas(reference, fit)
            }
            kept = {beta: share for beta, share in shares.items() if share is not None}
            found |= {label: (list(kept), list(kept.values()))} if kept else {}
    return found


def _common_betas(reference: Fit, fit: Fit) -> list:
    low, high = reference.model.beta_range
    if not is_multirate(fit.model):
        return [float(beta) for beta in fit.beta if low <= beta <= high]
    low, high = max(low, fit.model.beta_range[0]), min(high, fit.model.beta_range[1])
    return np.geomspace(low, high, NUM_BETAS).tolist() if low < high else []


def _distance_at(beta: float, reference: Fit, fit: Fit, x: np.ndarray) -> float | None:
    target, means = _encode(reference, x, beta)[0], _encode(fit, x, beta)[0]
    variance = total_variance(target)
    return mean_squared_distance(means, target) / variance if variance >= COLLAPSED else None


def _replica_names(name: str, fit: Fit) -> list[str]:
    return [name] if len(fit) == 1 else [f"{name} #{m}" for m in range(len(fit))]


def _read_means(path) -> np.ndarray:
    means = read_data(path, value_scale=1.0, images=False).x
    if means.ndim != 2:
        raise ValueError(
            f"{path} must hold posterior means, (N, K), not {means.shape}: pass one row an example"
        )
    return means


def _common_length(fits: dict, arrays: dict, x) -> int:
    if fits and x is None:
        raise ValueError(
            f"{next(iter(fits))} is a model: pass the data that all spaces are to encode"
        )
    lengths = {name: len(means) for name, means in arrays.items()}
    if x is not None:
        lengths["the data"] = len(x)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(
            f"the numbers of examples differ ({listed}): encode the same data, in the same order"
        )
    return next(iter(lengths.values()))


def _encode(fit: Fit, x: np.ndarray, beta: float | None) -> np.ndarray:
    return fit.encode(x, beta=beta if is_multirate(fit.model) else None).numpy()


def _origin(name: str, fit: Fit, at: float | None) -> str:
    config = fit.model.config or {}
    network = config.get("module", config).get("network", type(fit.model).__name__)
    rates = ", ".join(sorted({f"{beta:g}" for beta in fit.beta}))
    if at is not None:
        rates = "{:g} to {:g}, read at {:g}".format(*fit.model.beta_range, at)
    anchored = "trained with Rosetta points" if (fit.rho > 0).any() else "trained without points"
    return f"{name}: network {network}, beta {rates}, {len(fit.terms)} epochs, {anchored}"


def _rows_of(points: RosettaPoints, x: np.ndarray) -> np.ndarray | None:
    """The rows of x that are the points' inputs to the last bit, (R,); None if one is missing."""
    if x.shape[1:] != points.x.shape[1:]:
        raise ValueError(
            f"the points' inputs have shape {points.x.shape[1:]}, the data's {x.shape[1:]}: prepare both alike"
        )
    if x.dtype != points.x.dtype:
        return None
    places = {row.tobytes(): number for number, row in reversed(list(enumerate(x)))}
    rows = [places.get(row.tobytes()) for row in points.x]
    return None if None in rows or len(set(rows)) >= len(x) else np.array(sorted(set(rows)))


def _some(num_data: int, anchors: np.ndarray | None, seed: int) -> np.ndarray:
    if num_data <= MOST_EXAMPLES:
        return np.arange(num_data)
    drawn = np.random.default_rng(seed).permutation(num_data)[:MOST_EXAMPLES]
    return np.union1d(drawn, anchors if anchors is not None else drawn)
