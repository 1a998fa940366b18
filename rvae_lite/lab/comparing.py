"""How alike several latent spaces of the same data are: every measure in one table, with intervals.

Martinez & Pearson (2021), Eqs. 2 and 3; linear centred kernel alignment of Kornblith et al. (2019).
Letters: S spaces, N data points, K latent dimension, R anchors, B resamplings.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import (
    latent_space_distortion,
    linear_map,
    log_volumes,
    orthogonal_map,
    retraining_variability,
    total_variance,
)

NEIGHBOURS = 10
RESAMPLINGS = 200
SAME_SPACE, SAME_SHAPE = 0.1, 0.9  # verdicts: unaligned distance below, R^2 above


class Measure(NamedTuple):
    """Its name in a table, what a value says, and whether "lower" or "higher" is better."""

    name: str
    unit: str
    better: str = "lower"


SHARE = "share of the target's variance"
MEASURES = {
    "unaligned": Measure("distance, as they are", SHARE),
    "known": Measure("after the file's own map", SHARE),
    "procrustes": Measure("after a rotation, from anchors", SHARE),
    "affine": Measure("after an affine map, from anchors", SHARE),
    "lsd": Measure("LSD, best affine map", "squared units of the target"),
    "r_squared": Measure("R² of the best affine map", "1 − LSD / the target's variance", "higher"),
    "cka": Measure("linear CKA", "0 to 1, blind to rotation and scale", "higher"),
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
        pairs: a row per ordered pair (source, target) and metric: value, low, high (95 % interval).
        group: a row per metric of all spaces: value, low, high, rank; empty where K differs.
        instability: standard deviation over spaces of each datum's position over the total one:
            "as they are" and "after affine maps" -> (N,).
        notes: sentences on how it was computed.
        known: name -> (N, K) after the known map to the reference, if it is one that moves them.
    """

    spaces: dict
    anchors: np.ndarray | None
    pairs: object
    group: object
    instability: dict
    notes: list
    known: dict


class _Space(NamedTuple):
    """One space: means (N, K), latents of the anchors (R, K), nearest neighbours (N, 10)."""

    means: np.ndarray
    anchors: np.ndarray
    neighbours: np.ndarray


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

    spaces = {name: np.asarray(means, dtype=np.float64) for name, means in spaces.items()}
    _check_spaces(spaces)
    reference, num_data = next(iter(spaces)), len(next(iter(spaces.values())))
    known_maps, notes, rest = known_maps or {}, [], np.arange(num_data)
    if anchor_spaces is None:
        rows = _anchor_rows(spaces[reference], anchors, num_anchors, seed)
        if anchors is None:
            notes.append(f"{len(rows)} anchors were chosen by k-means in {reference}")
        anchors = rows
        anchor_spaces = {name: means[anchors] for name, means in spaces.items()}
    if anchors is not None:
        rest = np.setdiff1d(rest, anchors)
        notes.append("maps from anchors are measured on the other examples")
    chances, random = np.full(num_data, 1 / num_data), np.random.default_rng(seed)
    counts = random.multinomial(num_data, chances, size=RESAMPLINGS)  # (B, N)
    resampled = f"intervals are the middle 95 % of {RESAMPLINGS} resamplings of the examples"
    notes.append(f"{resampled}; anchors and runs are kept")

    sides = {n: _Space(z, anchor_spaces[n], _neighbours(z)) for n, z in spaces.items()}
    rows, known = [], {}
    pairs, label = list(permutations(spaces, 2)), "comparing" if progress is True else progress
    for source, target in tqdm(pairs, desc=label, unit="pair", disable=not progress):
        known_map = known_maps.get((source, target))
        for metric, row in _pair(sides[source], sides[target], known_map, rest, counts).items():
            rows.append(dict(source=source, target=target, metric=metric, **row))
        moved = spaces[source] if known_map is None else known_map(spaces[source])
        if target == reference and not np.array_equal(moved, spaces[source]):
            known[source] = moved
    group = [dict(metric=metric, **row) for metric, row in _group(spaces, counts).items()]
    group = pd.DataFrame(group, columns=["metric", "value", "low", "high", "rank"])
    instability = _instability(spaces)
    return Comparison(spaces, anchors, pd.DataFrame(rows), group, instability, notes, known)


def _check_spaces(spaces: dict) -> None:
    if len(spaces) < 2:
        raise ValueError(f"there are {len(spaces)} spaces to compare: pass at least two")
    first, num_data = next(iter(spaces)), len(next(iter(spaces.values())))
    for name, means in spaces.items():
        if means.ndim != 2 or not means.size:
            found = f"must be (N, K), not {means.shape}: pass one posterior mean an example"
        elif len(means) != num_data:
            found = f"has {len(means)} examples, {first} {num_data}: encode the same data"
        elif not np.isfinite(means).all():
            found = "holds NaN or infinite values: check the training that it comes from"
        else:
            continue
        raise ValueError(f"{name} {found}")
    if num_data <= NEIGHBOURS + 1:
        remedy = f"too few to compare: pass {NEIGHBOURS + 2} or more"
        raise ValueError(f"there are {num_data} examples, {remedy}")


def _anchor_rows(means: np.ndarray, anchors, num_anchors: int | None, seed: int) -> np.ndarray:
    """The anchors, checked, or so many rows chosen by k-means."""
    if anchors is None:
        from rvae_lite.points import select_points

        if num_anchors is None:
            num_anchors = min(len(means) // 2, max(means.shape[1] + 1, 64))
        anchors = np.sort(select_points(means, means, num_anchors, seed=seed).ids.astype(int))
    rows = np.asarray(anchors)
    fitting = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not fitting or rows.min() < 0 or rows.max() >= len(means) or len(rows) >= len(means):
        expected = f"row numbers below {len(means)}, fewer than the data"
        raise ValueError(f"anchors must be {expected}, not {rows.shape} {rows.dtype}")
    return rows


def _row(value: float, resampled) -> dict:
    """A value and the middle 95 % of its resamplings, (B,), where all of them are finite."""
    low = high = float("nan")
    if np.isfinite(resampled).all():
        low, high = np.quantile(np.asarray(resampled, dtype=float), [0.025, 0.975])
    return dict(value=float(value), low=float(low), high=float(high))


def _pair(source: _Space, target: _Space, known, rest: np.ndarray, counts: np.ndarray) -> dict:
    """Every measure of one ordered pair: metric -> value, low, high."""
    moments = [_moments(source.means, target.means, weights) for weights in counts]
    variance, variances = total_variance(target.means), [np.trace(m[2]) for m in moments]
    lsd, lsds = latent_space_distortion(source.means, target.means), [_lsd(m) for m in moments]
    unexplained = np.array(list(map(_ratio, lsds, variances)))
    overlap = _overlap(source.neighbours, target.neighbours)
    found = dict(
        lsd=_row(lsd, lsds),
        r_squared=_row(1 - _ratio(lsd, variance), 1 - unexplained),
        cka=_row(linear_cka(source.means, target.means), [_cka(m) for m in moments]),
        neighbours=_row(overlap.mean(), _means(overlap, counts)),
    )

    def distance(mapped: np.ndarray, rows=slice(None)) -> dict:
        away = np.square(mapped - target.means).sum(1)[rows]
        resampled = list(map(_ratio, _means(away, counts[:, rows]), variances))
        return _row(_ratio(away.mean(), variance), resampled)

    # Maps from anchors are measured on the other data.
    anchors = source.anchors, target.anchors
    found["unaligned"] = found["procrustes"] = _row(np.nan, np.nan)
    if source.means.shape[1] == target.means.shape[1]:
        found["unaligned"] = distance(source.means)
        found["procrustes"] = distance(orthogonal_map(*anchors)(source.means), rest)
    found["affine"] = distance(linear_map(*anchors)(source.means), rest)
    if known is not None:
        found["known"] = distance(known(source.means))
    return found


def _ratio(value: float, variance: float) -> float:
    return float(value / variance) if variance > 0 else float("nan")


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean of values (N,) in each resampling, counts (B, N): (B,)."""
    return counts @ values / np.maximum(counts.sum(1), 1)


def _moments(source: np.ndarray, target: np.ndarray, weights: np.ndarray):
    """Weighted covariances: source with source, source with target, target with target."""
    share = weights / weights.sum()
    source, target = source - share @ source, target - share @ target
    weighted = share[:, None] * source
    return weighted.T @ source, weighted.T @ target, (share[:, None] * target).T @ target


def _lsd(moments) -> float:
    """Eq. 2 from covariances: the trace of target's covariance given source."""
    own, cross, target = moments
    explained = np.linalg.lstsq(own, cross, rcond=1e-12)[0]
    return max(float(np.trace(target) - (explained * cross).sum()), 0.0)


def _cka(moments) -> float:
    """Linear CKA: |cov(source, target)|^2 / (|cov(source)| |cov(target)|), Frobenius norms."""
    own, cross, target = moments
    norms = float(np.linalg.norm(own) * np.linalg.norm(target))
    return _ratio(float(np.square(cross).sum()), norms)


def linear_cka(source, target) -> float:
    """Linear centred kernel alignment of latents of the same data, (N, K) and (N, K'): 0 to 1.

    It is nan where a space has collapsed.
    """
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    return _cka(_moments(source, target, np.ones(len(source))))


def _neighbours(means: np.ndarray) -> np.ndarray:
    """The nearest neighbours of each datum, itself left out: (N, 10)."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(means)
    return search.kneighbors(return_distance=False)


def _overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share of each datum's nearest neighbours that two spaces have in common: (N,)."""
    return (one[:, :, None] == other[:, None, :]).any(2).mean(1)


def _group(spaces: dict, counts: np.ndarray) -> dict:
    """Retraining variability of all spaces: metric -> value, low, high, rank; {} if K differs."""
    if len({means.shape[1] for means in spaces.values()}) > 1:
        return {}
    means = np.stack(list(spaces.values()))  # (S, N, K)
    whole, volumes = retraining_variability(means), log_volumes(means)
    resampled = np.full(len(counts), np.nan)
    if np.isfinite(volumes).all():
        resampled = _means(volumes, counts)
    pooled = np.array([_pooled(means, weights, whole.rank) for weights in counts])  # (B, 2)
    rows = dict(
        rv=_row(whole.value, resampled),
        rv_relative=_row(whole.relative, resampled - pooled[:, 0]),
        rv_within=_row(whole.within_fraction, pooled[:, 1]),
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
    return volume, _ratio(share @ means.var(0, ddof=1).sum(1), np.trace(covariance))


def _instability(spaces: dict) -> dict:
    reference, *others = spaces.values()
    mapped = [reference, *(linear_map(means, reference)(means) for means in others)]
    result = {}
    if len({means.shape[1] for means in spaces.values()}) == 1:
        result["as they are"] = _spread(np.stack(list(spaces.values())))
    result["after affine maps"] = _spread(np.stack(mapped))
    return result


def _spread(means: np.ndarray) -> np.ndarray:
    """Standard deviation over spaces (S, N, K) of each datum's place / that of all points: (N,)."""
    total = means.reshape(-1, means.shape[2]).var(0).sum()
    return np.sqrt(means.var(0).sum(1) / total) if total > 0 else np.zeros(means.shape[1])


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
    if not np.isfinite(r_squared):
        return f"{reference} has collapsed to a point: nothing can be compared with it"
    if away <= SAME_SPACE:
        return f"{same}: unaligned, points lie {100 * away:.2g} % of its variance away"
    if by_file <= SAME_SPACE and np.isfinite(away):
        return (
            f"{same} at another beta: by the file's own map points lie {100 * by_file:.2g} % of "
            f"its variance away, unaligned {100 * away:.3g} %"
        )
    apart = f", unaligned {100 * away:.3g} % of its variance away" if np.isfinite(away) else ""
    if r_squared >= SAME_SHAPE:
        return f"{same} up to an affine map (R² {r_squared:.2f}){apart}"
    return f"another space than {reference} (R² {r_squared:.2f}{apart})"
