"""How alike several latent spaces of the same data are: every measure in one table, with intervals.

Martinez & Pearson (2021), Eqs. 2 and 3; linear centred kernel alignment of Kornblith et al. (2019).
Letters: S spaces, N data points, K latent dimension, R anchors, B resamplings.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import log_volumes, retraining_variability, total_variance
from rvae_lite.arrays import as_array
from rvae_lite.lab.measuring import (
    FROM_ANCHORS,
    NEIGHBOURS,
    instability,
    likeness,
    maps_from,
    means_of,
    nearest_neighbours,
    neighbours_in_common,
    num_directions,
    on_one_thread,
    places_of,
    ratio,
    row_of,
)
from rvae_lite.lab.measuring import linear_cka as linear_cka

RESAMPLINGS = 200
SAME_SPACE, SAME_SHAPE = 0.1, 0.9  # verdicts: unaligned distance below, R^2 above
FEWEST_PER_DIRECTION = 3  # examples, for a map to tell something


class Measure(NamedTuple):
    """Its name in a table, what a value says, and whether "lower" or "higher" is better."""

    name: str
    unit: str
    better: str = "lower"


SHARE = "share of the target's variance"
UNSEEN = "1 − error by the map of the other examples / the target's variance; below 0 if unrelated"
MEASURES = {
    "unaligned": Measure("distance, as they are", SHARE),
    "known": Measure("after the file's own map", SHARE),
    "procrustes": Measure("after a rotation, from anchors", SHARE),
    "similarity": Measure("after rotation and scale, from anchors", SHARE),
    "affine": Measure("after an affine map, from anchors", SHARE),
    "ridge": Measure("after a ridge affine map, from anchors", SHARE),
    "smooth": Measure("after a smooth map, from anchors", SHARE),
    "relative": Measure("by cosines to the anchors, and back", SHARE),
    "lsd": Measure("LSD, best affine map", "squared units of the target, where it was fitted"),
    "r_squared": Measure("R² of the affine map, left-out examples", UNSEEN, "higher"),
    "cka": Measure("linear CKA, unbiased", "1 at most, about 0 for unrelated spaces", "higher"),
    "neighbours": Measure(f"{NEIGHBOURS} nearest neighbours, in common", "share", "higher"),
}
GROUP_MEASURES = {
    "rv": Measure("retraining variability", "nats, pseudo-determinant of the stated rank"),
    "rv_relative": Measure("retraining variability, scale-free", "nats, against the pooled points"),
    "rv_within": Measure("variance within a datum / total", "share"),
}


class Comparison(NamedTuple):
    """S spaces of N data.

    Attributes:
        spaces: name -> (N, K); the first is the reference.
        anchors: rows of the data that served as anchors, (R,); None if the anchors are no data.
        pairs: a row per ordered pair (source, target) and metric: value, low, high (95 % interval),
            and on how many examples it is measured.
        group: a row per metric of all spaces: value, low, high, rank; empty where K differs.
        instability: standard deviation over spaces of each datum's position over the total one:
            "as they are" and "after affine maps" -> (N,).
        notes: sentences on how it was computed.
        known: name -> (N, K) after the known map to the reference, if it is one that moves them.
        tested: rows of the different examples that no map and no anchor was fitted on, (P,).
        anchor_spaces: name -> latents of the anchors, (R, K).
        maps: name -> metric -> the map to the reference that was fitted on the anchors.
        seed: of the resamplings.
    """

    spaces: dict
    anchors: np.ndarray | None
    pairs: object
    group: object
    instability: dict
    notes: list
    known: dict
    tested: np.ndarray
    anchor_spaces: dict
    maps: dict
    seed: int


class _Tested(NamedTuple):
    """Rows of the data that measures are taken on.

    rest: those that are no anchors.  rows: all, or the rest where anchors were given, as trainings
    may have been fitted to them.  places: the different ones among `rows`, (P,).
    """

    rest: np.ndarray
    rows: np.ndarray
    places: np.ndarray


class _Space(NamedTuple):
    """One space: means (N, K), latents of the anchors (R, K), neighbours of places (P, 10)."""

    means: np.ndarray
    anchors: np.ndarray
    neighbours: np.ndarray | None


@on_one_thread
def compare_spaces(
    spaces: dict,
    *,
    anchors=None,
    anchor_spaces: dict | None = None,
    num_anchors: int | None = None,
    known_maps: dict | None = None,
    seed: int = 0,
    progress: bool | str = False,
) -> Comparison:
    """Compare latent spaces of the same data, each with each.

    Args:
        spaces: name -> posterior means of the same N data, (N, K); at least two, the first the
            reference; K may differ.
        anchors: rows of the data on which the maps "from anchors" are fitted, (R,).
        anchor_spaces: in their place name -> latents of anchors that are no data, (R, K).
        num_anchors: without either, so many rows are chosen by k-means in the reference; by default
            64 at most.
        known_maps: (source, target) -> LinearMap, as by `spaces.known_maps`.
        seed: of that choice and of the bootstrap.
        progress: show a bar over the pairs; a text becomes its label.

    Raises:
        ValueError: fewer than two spaces, lengths that differ, NaN, anchors that do not fit.
    """
    import pandas as pd
    from tqdm import tqdm

    spaces = {name: as_array(name, means).astype(float) for name, means in spaces.items()}
    _check_spaces(spaces)
    reference, num_data = next(iter(spaces)), len(next(iter(spaces.values())))
    known_maps, notes, given = known_maps or {}, [], anchors is not None
    if anchor_spaces is None:
        anchors = _anchor_rows(spaces[reference], anchors, num_anchors, seed)
        if not given:
            notes.append(f"{len(anchors)} anchors were chosen by k-means in {reference}")
        anchor_spaces = {name: means[anchors] for name, means in spaces.items()}
    tested, said = _what_is_tested(spaces, anchors, given=given)
    notes += said
    chances, random = np.full(num_data, 1 / num_data), np.random.default_rng(seed)
    counts = random.multinomial(num_data, chances, size=RESAMPLINGS).astype(float)  # (B, N)
    notes.append(_how_sure(seed))

    near = {name: nearest_neighbours(means[tested.places]) for name, means in spaces.items()}
    sides = {name: _Space(z, anchor_spaces[name], near[name]) for name, z in spaces.items()}
    rows, known, fitted, reasons = [], {}, {}, {}
    pairs, label = list(permutations(spaces, 2)), "comparing" if progress is True else progress
    for source, target in tqdm(pairs, desc=label, unit="pair", disable=not progress):
        known_map = known_maps.get((source, target))
        both = sides[source], sides[target]
        maps, without = maps_from(*(side.anchors for side in both))
        for metric, row in _pair(*both, known_map, maps, tested, counts).items():
            rows.append(dict(source=source, target=target, metric=metric, **row))
        reasons = without | reasons
        if target != reference:
            continue
        moved = spaces[source] if known_map is None else known_map(spaces[source])
        if not np.array_equal(moved, spaces[source]):
            known[source], maps["known"] = moved, known_map
        fitted[source] = maps
    notes += [f"“{MEASURES[metric].name}” lacks values: {why}" for metric, why in reasons.items()]
    group = [dict(metric=metric, **row) for metric, row in _group(spaces, counts).items()]
    group = pd.DataFrame(group, columns=["metric", "value", "low", "high", "rank"])
    found = pd.DataFrame(rows), group, instability(spaces), notes, known, tested.places
    return Comparison(spaces, anchors, *found, anchor_spaces, fitted, seed)


def _how_sure(seed: int) -> str:
    resampled = f"intervals are the middle 95 % of {RESAMPLINGS} resamplings of the examples"
    return f"{resampled} by seed {seed}; anchors and runs are kept"


def _what_is_tested(spaces: dict, anchors, *, given: bool) -> tuple[_Tested, list]:
    """Rows that measures are taken on, and sentences on it; given: the caller named the anchors."""
    everything, notes = np.arange(len(next(iter(spaces.values())))), []
    rest = everything
    if anchors is not None:
        rest = np.setdiff1d(everything, anchors)
        measured = "all distances are" if given else "maps from anchors are"
        notes.append(f"{measured} measured on the examples that are no anchors")
    rows = rest if given else everything
    places = rows[places_of(*(means[rows] for means in spaces.values()))[0]]
    by_chance = min(NEIGHBOURS / max(len(places) - 1, 1), 1.0)
    notes.append(f"R², CKA and neighbours are of {len(places)} different examples")
    notes.append("R² tells how well each is met by the map that is fitted on all others")
    notes.append(f"unrelated spaces have about {by_chance:.2g} of their neighbours in common")
    return _Tested(rest, rows, places), notes


def _check_spaces(spaces: dict) -> None:
    if len(spaces) < 2:
        raise ValueError(f"there are {len(spaces)} spaces to compare: pass at least two")
    first, num_data = next(iter(spaces)), next(iter(spaces.values())).shape[:1]
    for name, means in spaces.items():
        if means.ndim != 2 or not means.size:
            found = f"must be (N, K), not {means.shape}: pass one posterior mean an example"
        elif means.shape[:1] != num_data:
            found = f"has {len(means)} examples, {first} {num_data[0]}: encode the same data"
        elif not np.isfinite(means).all():
            found = "holds NaN or infinite values: check the training that it comes from"
        else:
            continue
        raise ValueError(f"{name} {found}")
    if num_data[0] <= NEIGHBOURS + 1:
        remedy = f"too few to compare: pass {NEIGHBOURS + 2} or more"
        raise ValueError(f"there are {num_data[0]} examples, {remedy}")


def _anchor_rows(means: np.ndarray, anchors, num_anchors: int | None, seed: int) -> np.ndarray:
    """The anchors, checked, or so many rows chosen by k-means."""
    if anchors is None:
        from rvae_lite.points import select_points

        if num_anchors is None:
            num_anchors = min(len(means) // 2, max(means.shape[1] + 1, 64))
        if num_anchors >= len(means):
            found = f"{num_anchors} anchors of {len(means)} examples"
            raise ValueError(f"{found} leave none to measure on: choose fewer")
        anchors = np.sort(select_points(means, means, num_anchors, seed=seed).ids.astype(int))
    rows = np.asarray(anchors)
    fitting = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not fitting or rows.min() < 0 or rows.max() >= len(means) or len(rows) >= len(means):
        expected = f"row numbers below {len(means)}, fewer than the data"
        raise ValueError(f"anchors must be {expected}, not {rows.shape} {rows.dtype}")
    return rows


def _pair(
    source: _Space, target: _Space, known, maps: dict, tested: _Tested, counts: np.ndarray
) -> dict:
    """Every measure of one ordered pair: metric -> value, low, high, examples.

    known: the file's own map or None.  maps: metric -> map that was fitted on the anchors.
    """
    variance = total_variance(target.means)
    variances = means_of(np.square(target.means - target.means.mean(0)).sum(1), counts)
    found = likeness(source.means, target.means, tested.places, counts)
    each = counts[:, tested.places]
    found["neighbours"] = neighbours_in_common(source.neighbours, target.neighbours, each)

    def distance(mapped: np.ndarray, rows: np.ndarray) -> dict:
        away = np.square(mapped - target.means).sum(1)[rows]
        resampled = list(map(ratio, means_of(away, counts[:, rows]), variances))
        return row_of(ratio(away.mean(), variance), resampled)

    found |= dict.fromkeys(["unaligned", *FROM_ANCHORS], row_of(np.nan, np.nan))
    if source.means.shape[1] == target.means.shape[1]:
        found["unaligned"] = distance(source.means, tested.rows)
    for metric, mapped in maps.items():  # measured on the other data
        found[metric] = distance(mapped(source.means), tested.rest)
    if known is not None:
        found["known"] = distance(known(source.means), tested.rows)
    sizes = dict.fromkeys(MEASURES, len(tested.places)) | dict(lsd=len(source.means))
    sizes |= dict.fromkeys(["unaligned", "known"], len(tested.rows))
    sizes |= dict.fromkeys(FROM_ANCHORS, len(tested.rest))
    return {metric: row | dict(examples=sizes[metric]) for metric, row in found.items()}


def _group(spaces: dict, counts: np.ndarray) -> dict:
    """Retraining variability of all spaces: metric -> value, low, high, rank; {} if K differs."""
    if len({means.shape[1] for means in spaces.values()}) > 1:
        return {}
    means = np.stack(list(spaces.values()))  # (S, N, K)
    whole, volumes = retraining_variability(means), log_volumes(means)
    resampled = np.full(len(counts), np.nan)
    if np.isfinite(volumes).all():
        resampled = means_of(volumes, counts)
    pooled = np.array([_pooled(means, weights, whole.rank) for weights in counts])  # (B, 2)
    rows = dict(
        rv=row_of(whole.value, resampled),
        rv_relative=row_of(whole.relative, resampled - pooled[:, 0]),
        rv_within=row_of(whole.within_fraction, pooled[:, 1]),
    )
    return {metric: row | dict(rank=whole.rank) for metric, row in rows.items()}


def _pooled(means: np.ndarray, weights: np.ndarray, rank: int) -> tuple[float, float]:
    """Log volume of the pooled points over `rank` eigenvalues; variance within data / total."""
    counts, share = len(means) * weights.sum(), weights / weights.sum()
    points = means - (share @ means.mean(0))
    covariance = np.einsum("n,snk,snl->kl", share, points, points, optimize=True) / len(means)
    covariance = covariance * counts / (counts - 1)
    leading = np.maximum(np.linalg.eigvalsh(covariance)[::-1][:rank], 0)
    with np.errstate(divide="ignore"):
        volume = float(np.log(leading).sum())
    return volume, ratio(share @ means.var(0, ddof=1).sum(1), np.trace(covariance))


def value_of(comparison: Comparison, source: str, target: str, metric: str) -> float:
    """One number of the table of pairs; nan where it is not there."""
    table = comparison.pairs.set_index(["source", "target", "metric"]).value
    return float(table.get((source, target, metric), np.nan))


def verdicts(comparison: Comparison) -> dict:
    """Whether each space is the reference's, in words: name -> sentence."""
    reference, *others = comparison.spaces
    return {name: _verdict(comparison, name, reference) for name in others}


def _verdict(comparison: Comparison, name: str, reference: str) -> str:
    away, by_file, r_squared = (
        value_of(comparison, name, reference, metric)
        for metric in ("unaligned", "known", "r_squared")
    )
    same = f"the space of {reference}"
    if not total_variance(comparison.spaces[reference]) > 0:
        return f"{reference} has collapsed to a point: nothing can be compared with it"
    apart = f"unaligned {100 * away:.3g} % of its variance away" if np.isfinite(away) else ""
    tested = comparison.spaces[name][comparison.tested]
    alive, dims = num_directions(tested), tested.shape[1]
    for_map = FEWEST_PER_DIRECTION * (alive if alive < len(tested) - 1 else dims)
    enough = len(tested) > NEIGHBOURS + 1
    if enough and away <= SAME_SPACE:
        return f"{same}: unaligned, points lie {100 * away:.2g} % of its variance away"
    if enough and by_file <= SAME_SPACE and np.isfinite(away):
        return (
            f"{same} at another beta: by the file's own map points lie {100 * by_file:.2g} % of "
            f"its variance away, unaligned {100 * away:.3g} %"
        )
    apart = f", {apart}" * bool(apart)
    if not enough or len(tested) < for_map:
        found = f"{len(tested)} different ones for a map of {dims} dimensions{apart}"
        needed = max(for_map, NEIGHBOURS + 2)
        return f"too few examples to tell ({found}): pass at least {needed}"
    if r_squared >= SAME_SHAPE:
        return f"{same} up to an affine map (R² {r_squared:.2f} on left-out examples){apart}"
    return f"another space than {reference} (R² {r_squared:.2f} on left-out examples{apart})"
