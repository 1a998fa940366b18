"""What is to be compared: saved Fits and encoded arrays, brought to common examples and anchors.

Letters: S spaces, N examples, K latent dimension, R anchors.
"""

import hashlib
import unicodedata
import warnings
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import LinearMap, linear_map, mean_squared_distance, total_variance
from rvae_lite.arrays import as_array, named, pieces
from rvae_lite.fitted import Fit
from rvae_lite.lab.reading import read_data
from rvae_lite.models.likeness import covering_of
from rvae_lite.multirate import is_multirate
from rvae_lite.points import NUM_BETAS
from rvae_lite.rosetta import RosettaPoints

MOST_EXAMPLES = 5000
KNOWN_MAP = (
    "the file's own map between two betas is fitted on the points' curves alone, and holds for "
    "models trained with them"
)
COLLAPSED = 0.01  # total variance below which a space holds nothing: no unit is active


class Spaces(NamedTuple):
    """Spaces of the same N examples.

    means: name -> (N, K).
    anchors: rows of them, (R,), or None; anchor_means: else name -> (R, K), or None.
    rows: which of the given examples they are, (N,).
    notes: sentences on where they come from.
    betas: name -> the beta that a space is of, where it is known.
    over_beta: name -> (betas, distances), see `distances_over_beta`.
    num_data: how many examples were given.
    """

    means: dict
    anchors: np.ndarray | None
    anchor_means: dict | None
    rows: np.ndarray
    notes: list
    betas: dict
    over_beta: dict
    num_data: int


class _Source(NamedTuple):
    """A saved Fit, each replica a space, or encoded means (N, K), and the beta of either.

    A plain Fit is read without beta; of means it may be unknown.
    """

    name: str
    beta: float | None
    fit: Fit | None = None
    means: np.ndarray | None = None

    def spaces(self, x, rows=slice(None)) -> dict:
        if self.fit is None:
            return {self.name: self.means[rows]}
        means = self.fit.encode(x[rows], beta=self.beta)
        means = as_array(self.name, means)
        return dict(zip(_replica_names(self.name, self.fit), means, strict=True))

    def doubts(self, names, x) -> list:
        """Sentences on columns that the Fit knows by other names; of another order: ValueError."""
        if self.fit is None or x is None:
            return []
        try:
            return [f"{self.name}: {doubt}" for doubt in self.fit.check_names(names, x.shape[1:])]
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error

    def betas(self) -> list:
        own = [self.beta] if self.fit is None else self.fit.beta.tolist()
        return own if self.beta is None else [self.beta] * len(own)

    def origin(self) -> str:
        at = "" if self.beta is None else f"{self.beta:g}"
        if self.fit is None:
            return f"{self.name} was read from encoded means" + (at and f" of beta {at}")
        model, config = self.fit.model, self.fit.model.config or {}
        network = config.get("module", config).get("network", type(model).__name__)
        rates = _listed(self.fit.beta)
        if at:
            rates = "{:g} to {:g}, read at {}".format(*model.beta_range, at)
        anchored = "with Rosetta points" if (self.fit.rho > 0).any() else "without points"
        trained = f"{self.fit.num_epochs} epochs, trained {anchored}"
        return f"{self.name}: network {network}, beta {rates}, {trained}"


def gather_spaces(
    sources: dict,
    *,
    x=None,
    points: RosettaPoints | None = None,
    beta: float | None = None,
    names=None,
    seed: int = 0,
) -> Spaces:
    """Encode common data with saved Fits, every replica a space, beside arrays of means.

    Args:
        sources: name -> path of a saved Fit, or of a .npy array of posterior means, (N, K);
            "PATH@BETA" reads a multi-rate Fit at that beta, or says at which an array was encoded.
        x: the common data, (N, *data); needed for Fits.
        points: Rosetta points whose inputs are the anchors; with arrays among the sources they must
            be among x.
        beta: at which multi-rate Fits are read whose path does not say.
        names: of the columns of x, where x is a table; as a Fit's own, if it knows them.
        seed: of the choice of 5,000 examples where there are more.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: sources, data and points do not fit.
    """
    names = named(x).get("names") if names is None else names
    x = None if x is None else as_array("x", x)
    found = [_read_source(name, source, beta) for name, source in sources.items()]
    num_data = _common_length(found, x)
    anchors = None if points is None or x is None else _rows_of(points, x)
    elsewhere = points is not None and anchors is None
    if elsewhere and any(source.fit is None for source in found):
        raise ValueError(
            "the points' inputs are not among the data, so encoded arrays have no latents for "
            "them: encode them with their models, or leave the points out"
        )
    rows, notes = np.arange(num_data), []
    if num_data > MOST_EXAMPLES:
        rows = np.random.default_rng(seed).permutation(num_data)[:MOST_EXAMPLES]
        rows = np.union1d(rows, rows if anchors is None else anchors)
        notes.append(f"{len(rows):,} of {num_data:,} examples were drawn at random")

    means, anchor_means, betas = {}, {}, {}
    for source in found:
        spaces = source.spaces(x, rows)
        means |= spaces
        betas |= dict(zip(spaces, source.betas(), strict=True))
        notes += [source.origin(), *source.doubts(names, x)]
        if elsewhere:
            anchor_means |= source.spaces(points.x)
    if points is not None:
        notes.append(f"the anchors are the inputs of {len(points)} Rosetta points")
        notes += [] if x is None else _covered(points, x[rows])

    betas = {name: at for name, at in betas.items() if at is not None}
    places = None if anchors is None else np.searchsorted(rows, np.sort(anchors))
    fits = {source.name: source.fit for source in found if source.fit is not None}
    over_beta = {} if found[0].fit is None else distances_over_beta(fits, x[rows])
    found = means, places, anchor_means or None, rows, notes, betas, over_beta
    return Spaces(*found, num_data)


def _covered(points: RosettaPoints, x: np.ndarray) -> list:
    covering = covering_of(points, x)
    return [] if covering is None else [str(covering)]


def name_sources(texts: list[str]) -> dict:
    """NAME=FILE as name -> file; a file without a name is called after itself and its beta.

    Raises:
        ValueError: two of them have one name.
    """
    found_at = {}
    for text in texts:
        name, found, path = text.partition("=")
        name = unicodedata.normalize("NFC", name).strip()
        if not found or Path(split_beta(text)[0]).exists():
            path, (file, beta) = text, split_beta(text)
            name = Path(file).name.removesuffix(".npz").removesuffix(".npy").removesuffix(".model")
            name += "" if beta is None else f" at {beta:g}"
        if not name:
            raise ValueError(f"{text} names a space by nothing: name it as in alice={path}")
        if name in found_at:
            raise ValueError(f"two spaces are called {name}: name them as in alice={path}")
        found_at[name] = path
    return found_at


def split_beta(source) -> tuple[str, float | None]:
    """PATH@BETA as (path, beta); any other text, and a path that exists, as (path, None)."""
    path, _, at = str(source).rpartition("@")
    if not path or Path(source).exists():
        return str(source), None
    try:
        return path, float(at)
    except ValueError:
        return str(source), None


def _read_source(name: str, source, beta: float | None) -> _Source:
    path, at = split_beta(source)
    if Path(path).suffix.lower() == ".npy":
        means = read_data(path, value_scale=1.0, images=False).x
        if means.ndim == 2:
            return _Source(name, at, means=means)
        expected = f"posterior means, (N, K), not {means.shape}"
        raise ValueError(f"{path} must hold {expected}: pass one row an example")
    fit = Fit.load(path)
    if is_multirate(fit.model):
        at = beta if at is None else at
        if at is not None:
            return _Source(name, at, fit=fit)
        remedy = f"say at which beta to read it, as in {path}@0.5, or by beta"
        raise ValueError(f"{path} is a multi-rate model: {remedy}")
    if at is None or np.isclose(fit.beta, at).all():
        return _Source(name, None, fit=fit)
    own = f"{path} is a plain model of beta {_listed(fit.beta)}"
    raise ValueError(f"{own}: it cannot be read at {at:g}, leave @{at:g} out")


def _listed(betas) -> str:
    return ", ".join(sorted({f"{beta:g}" for beta in betas}))


def _common_length(found: list[_Source], x) -> int:
    lengths = {source.name: len(source.means) for source in found if source.fit is None}
    models = [source.name for source in found if source.fit is not None]
    if models and x is None:
        raise ValueError(f"{models[0]} is a model: pass the data that all spaces are to encode")
    if x is not None:
        lengths["the data"] = len(x)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        remedy = "encode the same data, in the same order"
        raise ValueError(f"the numbers of examples differ ({listed}): {remedy}")
    return next(iter(lengths.values()))


def _rows_of(points: RosettaPoints, x: np.ndarray) -> np.ndarray | None:
    """The rows of x that are the points' inputs to the last bit, (R,); None if one is missing."""
    if x.shape[1:] != points.x.shape[1:]:
        shapes = f"{points.x.shape[1:]}, the data's {x.shape[1:]}"
        raise ValueError(f"the points' inputs have shape {shapes}: prepare both alike")
    widened = (x.dtype, points.x.dtype) == (np.float16, np.float32)  # as points keep float16
    if x.dtype != points.x.dtype and not widened:
        return None
    places, number = {}, 0
    for piece in pieces(x):
        for row in piece.astype(points.x.dtype, copy=False):
            places.setdefault(_digest(row), number)
            number += 1
    rows = {places.get(_digest(row)) for row in points.x}
    return None if None in rows or len(rows) >= len(x) else np.array(sorted(rows))


def _digest(row: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(row).data).digest()


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
    same, maps = LinearMap(np.eye(num_latents), np.zeros(num_latents)), {}
    for source, target in permutations(latents, 2):
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
        shares = {}
        for beta in _common_betas(reference, fit):
            target = reference.encode(x, beta=beta)[0]
            if total_variance(target) >= COLLAPSED:
                means = fit.encode(x, beta=beta if is_multirate(fit.model) else None)[0]
                shares[beta] = mean_squared_distance(means, target) / total_variance(target)
        if shares:
            found[label] = (list(shares), list(shares.values()))
    return found


def _common_betas(reference: Fit, fit: Fit) -> list:
    """Where two spaces of one K can be compared."""
    low, high = reference.model.beta_range
    if fit.model.latent_dim != reference.model.latent_dim:
        return []
    if not is_multirate(fit.model):
        return [float(beta) for beta in fit.beta if low <= beta <= high]
    low, high = max(low, fit.model.beta_range[0]), min(high, fit.model.beta_range[1])
    return np.geomspace(low, high, NUM_BETAS).tolist() if low < high else []
