"""What is to be compared: saved Fits and encoded arrays, brought to common examples and anchors.

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
COLLAPSED = 0.01  # total variance below which a space holds nothing: no unit is active


class Spaces(NamedTuple):
    """Spaces of the same N examples.

    means: name -> (N, K).
    anchors: rows of them, (R,), or None; anchor_means: else name -> (R, K), or None.
    rows: which of the given examples they are, (N,).
    notes: sentences on where they come from.
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


class _Array(NamedTuple):
    """Encoded means of all examples, (N, K), at a beta where it is known."""

    name: str
    means: np.ndarray
    beta: float | None

    def means_of(self, x, rows: np.ndarray) -> dict:
        return {self.name: self.means[rows]}

    def betas(self) -> dict:
        return {} if self.beta is None else {self.name: self.beta}

    def origin(self) -> str:
        at = "" if self.beta is None else f" of beta {self.beta:g}"
        return f"{self.name} was read from encoded means{at}"


class _Model(NamedTuple):
    """A saved Fit, every replica a space, and the beta at which it is read; None for a plain one."""

    name: str
    fit: Fit
    beta: float | None

    def means_of(self, x: np.ndarray, rows=slice(None)) -> dict:
        means = self.fit.encode(x[rows], beta=self.beta).numpy()
        return dict(zip(_replica_names(self.name, self.fit), means, strict=True))

    def betas(self) -> dict:
        names = _replica_names(self.name, self.fit)
        if self.beta is not None:
            return dict.fromkeys(names, self.beta)
        return dict(zip(names, self.fit.beta.tolist(), strict=True))

    def origin(self) -> str:
        model = self.fit.model
        config = model.config or {}
        network = config.get("module", config).get("network", type(model).__name__)
        if self.beta is None:
            rates = _listed(self.fit.beta)
        else:
            rates = "{:g} to {:g}, read at {:g}".format(*model.beta_range, self.beta)
        anchored = "with Rosetta" if (self.fit.rho > 0).any() else "without"
        return (
            f"{self.name}: network {network}, beta {rates}, {len(self.fit.terms)} epochs, "
            f"trained {anchored} points"
        )


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
        sources: name -> path of a saved Fit, or of a .npy array of posterior means, (N, K);
            "PATH@BETA" reads a multi-rate Fit at that beta, or says at which an array was encoded.
        x: the common data, (N, *data); needed for Fits.
        points: Rosetta points whose inputs are the anchors; with arrays among the sources they must
            be among x.
        beta: at which multi-rate Fits are read whose path does not say.
        seed: of the choice of 5,000 examples where there are more.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: sources, data and points do not fit.
    """
    x = None if x is None else np.asarray(x)
    found = [_read_source(name, source, beta) for name, source in sources.items()]
    num_data = _common_length(found, x)
    anchors = None if points is None or x is None else _rows_of(points, x)
    elsewhere = points is not None and anchors is None
    if elsewhere and any(isinstance(source, _Array) for source in found):
        raise ValueError(
            "the points' inputs are not among the data, so encoded arrays have no latents for "
            "them: encode them with their models, or leave the points out"
        )
    rows, notes = _drawn(num_data, anchors, seed), []
    if len(rows) < num_data:
        notes.append(f"{len(rows):,} of {num_data:,} examples were drawn at random")

    means, anchor_means, betas = {}, {}, {}
    for source in found:
        means |= source.means_of(x, rows)
        betas |= source.betas()
        notes.append(source.origin())
        if elsewhere:
            anchor_means |= source.means_of(points.x)
    if points is not None:
        notes.append(f"the anchors are the inputs of {len(points)} Rosetta points")

    places = None if anchors is None else np.searchsorted(rows, np.sort(anchors))
    over_beta = {}
    if isinstance(found[0], _Model):
        fits = {source.name: source.fit for source in found if isinstance(source, _Model)}
        over_beta = distances_over_beta(fits, x[rows])
    return Spaces(means, places, anchor_means or None, rows, notes, betas, over_beta)


def name_sources(texts: list[str]) -> dict:
    """NAME=FILE and FILE as name -> file; a file without a name is called after itself and its beta.

    Raises:
        ValueError: two of them have one name.
    """
    named = {}
    for text in texts:
        name, found, path = text.partition("=")
        if not found:
            path, (file, beta) = text, split_beta(text)
            name = Path(file).name.removesuffix(".npz").removesuffix(".npy").removesuffix(".model")
            name += "" if beta is None else f" at {beta:g}"
        if name in named:
            raise ValueError(f"two spaces are called {name}: name them as in alice={path}")
        named[name] = path
    return named


def split_beta(source) -> tuple[str, float | None]:
    """PATH@BETA as (path, beta); any other text, and a path that exists as it is, as (path, None)."""
    path, _, at = str(source).rpartition("@")
    if not path or Path(source).exists():
        return str(source), None
    try:
        return path, float(at)
    except ValueError:
        return str(source), None


def _read_source(name: str, source, beta: float | None) -> _Array | _Model:
    path, at = split_beta(source)
    if Path(path).suffix.lower() == ".npy":
        means = read_data(path, value_scale=1.0, images=False).x
        if means.ndim != 2:
            raise ValueError(
                f"{path} must hold posterior means, (N, K), not {means.shape}: "
                f"pass one row an example"
            )
        return _Array(name, means, at)
    fit = Fit.load(path)
    if is_multirate(fit.model):
        if at is None and beta is None:
            raise ValueError(
                f"{path} is a multi-rate model: say at which beta to read it, as in {path}@0.5, "
                f"or by beta"
            )
        return _Model(name, fit, beta if at is None else at)
    if at is not None and not np.isclose(fit.beta, at).all():
        raise ValueError(
            f"{path} is a plain model of beta {_listed(fit.beta)}: it cannot be read at {at:g}, "
            f"leave @{at:g} out"
        )
    return _Model(name, fit, None)


def _listed(betas) -> str:
    return ", ".join(sorted({f"{beta:g}" for beta in betas}))


def _common_length(found: list, x) -> int:
    models = [source.name for source in found if isinstance(source, _Model)]
    if models and x is None:
        raise ValueError(f"{models[0]} is a model: pass the data that all spaces are to encode")
    lengths = {source.name: len(source.means) for source in found if isinstance(source, _Array)}
    if x is not None:
        lengths["the data"] = len(x)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(
            f"the numbers of examples differ ({listed}): encode the same data, in the same order"
        )
    return next(iter(lengths.values()))


def _rows_of(points: RosettaPoints, x: np.ndarray) -> np.ndarray | None:
    """The rows of x that are the points' inputs to the last bit, (R,); None if one is missing."""
    if x.shape[1:] != points.x.shape[1:]:
        raise ValueError(
            f"the points' inputs have shape {points.x.shape[1:]}, the data's {x.shape[1:]}: "
            f"prepare both alike"
        )
    if x.dtype != points.x.dtype:
        return None
    places = {row.tobytes(): number for number, row in reversed(list(enumerate(x)))}
    rows = {places.get(row.tobytes()) for row in points.x}
    return None if None in rows or len(rows) >= len(x) else np.array(sorted(rows))


def _drawn(num_data: int, anchors: np.ndarray | None, seed: int) -> np.ndarray:
    """The rows that are compared: all, or some at random and the anchors."""
    if num_data <= MOST_EXAMPLES:
        return np.arange(num_data)
    drawn = np.random.default_rng(seed).permutation(num_data)[:MOST_EXAMPLES]
    return np.union1d(drawn, drawn if anchors is None else anchors)


def _replica_names(name: str, fit: Fit) -> list[str]:
    return [name] if len(fit) == 1 else [f"{name} #{m}" for m in range(len(fit))]


def known_maps(points: RosettaPoints, betas: dict) -> dict:
    """How the space of one beta becomes that of another, from a file's curves alone: an affine map.

    It is fitted on z_r(beta of source) -> z_r(beta of target), so that it holds for models trained
    with those points.

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
        latents = {name: points.z_at(beta) for name, beta in betas.items() if beta > 0}
    num_latents = points.z.shape[-1]
    same = LinearMap(np.eye(num_latents), np.zeros(num_latents))
    maps = {}
    for source, target in [(a, b) for a in latents for b in latents if a != b]:
        alike = betas[source] == betas[target]
        maps[source, target] = same if alike else linear_map(latents[source], latents[target])
    return maps


def distances_over_beta(fits: dict, x: np.ndarray) -> dict:
    """How far spaces are from the first one's at the same beta, unaligned, if that is multi-rate.

    Args:
        fits: name -> Fit; of the first, replica 0 is the reference.
        x: the common data, (N, *data).

    Returns:
        name -> (betas, mean squared distances as shares of the reference's total variance); of a
        multi-rate Fit over the range that both have, of a plain one at its own beta.  Where the
        reference has collapsed there is no value.
    """
    reference = next(iter(fits.values())).select([0])
    if not is_multirate(reference.model):
        return {}
    singles = []
    for name, fit in fits.items():
        singles += [(label, fit.select([m])) for m, label in enumerate(_replica_names(name, fit))]
    found = {}
    for label, fit in singles[1:]:
        if fit.model.latent_dim != reference.model.latent_dim:
            continue
        shares = {}
        for beta in _common_betas(reference, fit):
            target = reference.encode(x, beta=beta)[0].numpy()
            variance = total_variance(target)
            if variance >= COLLAPSED:
                means = fit.encode(x, beta=beta if is_multirate(fit.model) else None)[0].numpy()
                shares[beta] = mean_squared_distance(means, target) / variance
        if shares:
            found[label] = (list(shares), list(shares.values()))
    return found


def _common_betas(reference: Fit, fit: Fit) -> list:
    low, high = reference.model.beta_range
    if not is_multirate(fit.model):
        return [float(beta) for beta in fit.beta if low <= beta <= high]
    low, high = max(low, fit.model.beta_range[0]), min(high, fit.model.beta_range[1])
    return np.geomspace(low, high, NUM_BETAS).tolist() if low < high else []
