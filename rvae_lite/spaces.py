"""What is to be compared: saved Fits and encoded arrays, brought to common examples and common anchors.

Letters: S spaces, N examples, K latent dimension, R anchors.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.files import read_data
from rvae_lite.fitted import Fit
from rvae_lite.rosetta import RosettaPoints

MOST_EXAMPLES = 5000


class Spaces(NamedTuple):
    """means: name -> (N, K).  anchors: rows of them, (R,), or None; anchor_means: else name -> (R, K), or None.

    rows: which of the given examples they are, (N,).  notes: sentences on where they come from.
    """

    means: dict
    anchors: np.ndarray | None
    anchor_means: dict | None
    rows: np.ndarray
    notes: list


def gather_spaces(
    sources: dict, *, x=None, points: RosettaPoints | None = None, beta: float | None = None, seed: int = 0
) -> Spaces:
    """Encode common data with saved Fits, every replica a space, and read arrays of means beside them.

    Args:
        sources: name -> path of a saved Fit, or of a .npy array of posterior means, (N, K).
        x: the common data, (N, *data); needed for Fits.
        points: Rosetta points whose inputs are the anchors; with arrays among the sources they must be among x.
        beta: at which multi-rate Fits encode.
        seed: of the choice of 5,000 examples where there are more.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: sources, data and points do not fit.
    """
    x = None if x is None else np.asarray(x)
    fits, arrays = {}, {}
    for name, path in sources.items():
        if Path(path).suffix.lower() == ".npy":
            arrays[name] = _read_means(path)
        else:
            fits[name] = Fit.load(path)
    num_data = _common_length(fits, arrays, x)
    anchors = _rows_of(points, x) if points is not None and x is not None else None
    if points is not None and arrays and anchors is None:
        raise ValueError(
            "the points' inputs are not among the data, so encoded arrays have no latents for them: encode them with "
            "their models, or leave the points out"
        )
    rows = _some(num_data, anchors, seed)
    notes = [] if len(rows) == num_data else [f"{len(rows):,} of {num_data:,} examples were drawn at random"]
    means, anchor_means = {}, {}
    for name in sources:
        if name in arrays:
            means[name] = arrays[name][rows]
            notes.append(f"{name} was read from encoded means")
            continue
        pieces, replicas = _encode(fits[name], x[rows], beta), len(fits[name])
        names = [name] if replicas == 1 else [f"{name} #{m}" for m in range(replicas)]
        means |= dict(zip(names, pieces, strict=True))
        notes.append(_origin(name, fits[name]))
        if points is not None and anchors is None:
            anchor_means |= dict(zip(names, _encode(fits[name], points.x, beta), strict=True))
    if points is not None:
        notes.append(f"the anchors are the inputs of {len(points)} Rosetta points")
    places = None if anchors is None else np.searchsorted(rows, np.sort(anchors))
    return Spaces(means, places, anchor_means or None, rows, notes)


def _read_means(path) -> np.ndarray:
    means = read_data(path, value_scale=1.0, images=False).x
    if means.ndim != 2:
        raise ValueError(f"{path} must hold posterior means, (N, K), not {means.shape}: pass one row an example")
    return means


def _common_length(fits: dict, arrays: dict, x) -> int:
    if fits and x is None:
        raise ValueError(f"{next(iter(fits))} is a model: pass the data that all spaces are to encode")
    lengths = {name: len(means) for name, means in arrays.items()}
    if x is not None:
        lengths["the data"] = len(x)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"the numbers of examples differ ({listed}): encode the same data, in the same order")
    return next(iter(lengths.values()))


def _encode(fit: Fit, x: np.ndarray, beta: float | None) -> np.ndarray:
    from rvae_lite.multirate import is_multirate

    return fit.encode(x, beta=beta if is_multirate(fit.model) else None).numpy()


def _origin(name: str, fit: Fit) -> str:
    network = (fit.model.config or {}).get("network", type(fit.model).__name__)
    betas = sorted({f"{beta:g}" for beta in fit.beta})
    anchored = "trained with Rosetta points" if (fit.rho > 0).any() else "trained without points"
    return f"{name}: network {network}, beta {', '.join(betas)}, {len(fit.terms)} epochs, {anchored}"


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
