"""How alike several latent spaces of the same data are: every measure in one table, with intervals.

Martinez & Pearson (2021), Eqs. 2 and 3; linear centred kernel alignment after Kornblith et al. (2019).
Letters: S spaces, N data points, K latent dimension, R anchors, B resamplings.
"""

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
    """name: in a table.  unit: what a value says.  better: "lower" or "higher"."""

    name: str
    unit: str
    better: str


SHARE = "share of the target's variance"
MEASURES = {
    "unaligned": Measure("distance, as they are", SHARE, "lower"),
    "known": Measure("after the file's own map", SHARE, "lower"),
    "procrustes": Measure("after a rotation, from anchors", SHARE, "lower"),
    "affine": Measure("after an affine map, from anchors", SHARE, "lower"),
    "lsd": Measure("LSD, best affine map", "squared units of the target", "lower"),
    "r_squared": Measure("R² of the best affine map", "1 − LSD / the target's variance", "higher"),
    "cka": Measure("linear CKA", "0 to 1, blind to rotation and scale", "higher"),
    "neighbours": Measure(f"{NEIGHBOURS} nearest neighbours, in common", "share", "higher"),
}
GROUP_MEASURES = {
    "rv": Measure("retraining variability", "nats, pseudo-determinant of the stated rank", "lower"),
    "rv_relative": Measure(
        "retraining variability, scale-free", "nats, against the pooled points", "lower"
    ),
    "rv_within": Measure("variance within a datum / total", "share", "lower"),
}


class Comparison(NamedTuple):
    """S spaces of N data.

    Attributes:
        spaces: name -> (N, K); the first is the reference.
        anchors: rows of the data that served as anchors, (R,), or None where the anchors are not
            among the data.
        pairs: a row per ordered pair (source, target) and metric: value, low, high (95 % bootstrap
            interval).
        group: a row per metric of all spaces at once: value, low, high, rank; empty where K differs.
        instability: standard deviation over spaces of each datum's position over the total one:
            "as they are" and "after affine maps" -> (N,).
        notes: sentences on how it was computed.
        known: name -> (N, K) after the map to the reference that is known of itself, where it is
            one that moves them.
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
        anchor_spaces: in their place name -> latents of anchors that are not among the data, (R, K).
        num_anchors: without either, so many rows are chosen by k-means in the reference; by default
            64 at most.
        known_maps: (source, target) -> LinearMap, where it is known without any of the data, as by
            `spaces.known_maps`.
        seed: of that choice and of the bootstrap.
        progress: show a bar over the pairs; a text becomes its label.

    Raises:
        ValueError: fewer than two spaces, lengths that differ, NaN, anchors that do not fit.
    """
    import pandas as pd

    spaces = {name: np.asarray(means, dtype=np.float64) for name, means in spaces.items()}
    _check_spaces(spaces)
    reference, num_data = next(iter(spaces)), len(next(iter(spaces.values())))
    known_maps, notes, rest = known_maps or {}, [], np.arange(num_data)
    if anchor_spaces is None:
        if anchors is None:
            anchors = _chosen_rows(spaces[reference], num_anchors, seed)
            notes.append(f"{len(anchors)} anchors were chosen by k-means in {reference}")
        anchors = _check_rows(anchors, num_data)
        anchor_spaces = {name: means[anchors] for name, means in spaces.items()}
    if anchors is not None:
        rest = np.setdiff1d(rest, anchors)
        notes.append("maps from anchors are measured on the other examples")
    notes.append(
        f"intervals are the middle 95 % of {RESAMPLINGS} resamplings of the examples; anchors and "
        f"runs are kept"
    )
    counts = _resamplings(num_data, seed)
    prepared = {}
    for name, means in spaces.items():
        prepared[name] = _Space(means, anchor_spaces[name], _neighbours(means))

    pairs = []
    for source, target in _with_a_bar([(a, b) for a in spaces for b in spaces if a != b], progress):
        known = known_maps.get((source, target))
        found = _measured(prepared[source], prepared[target], known, rest, counts)
        pairs += [dict(source=source, target=target, metric=m, **row) for m, row in found.items()]
    group = [dict(metric=metric, **row) for metric, row in _group(spaces, counts).items()]
    group = pd.DataFrame(group, columns=["metric", "value", "low", "high", "rank"])

    known = {}
    for name, means in spaces.items():
        if (name, reference) in known_maps:
            moved = known_maps[name, reference](means)
            if not np.array_equal(moved, means):
                known[name] = moved
    instability = _instability(spaces)
    return Comparison(spaces, anchors, pd.DataFrame(pairs), group, instability, notes, known)


def _with_a_bar(pairs: list, progress: bool | str):
    if not progress:
        return pairs
    from tqdm import tqdm

    return tqdm(pairs, desc=progress if isinstance(progress, str) else "comparing", unit="pair")


def _check_spaces(spaces: dict) -> None:
    if len(spaces) < 2:
        raise ValueError(f"there are {len(spaces)} spaces to compare: pass at least two")
    first = next(iter(spaces))
    for name, means in spaces.items():
        if means.ndim != 2 or not means.size:
            raise ValueError(
                f"{name} must be (N, K), not {means.shape}: pass one posterior mean an example"
            )
        if len(means) != len(spaces[first]):
            raise ValueError(
                f"{name} has {len(means)} examples, {first} {len(spaces[first])}: "
                f"encode the same data"
            )
        if not np.isfinite(means).all():
            raise ValueError(
                f"{name} holds NaN or infinite values: check the training that it comes from"
            )
    if len(spaces[first]) <= NEIGHBOURS + 1:
        raise ValueError(
            f"there are {len(spaces[first])} examples, too few to compare: "
            f"pass {NEIGHBOURS + 2} or more"
        )


def _chosen_rows(means: np.ndarray, num_anchors: int | None, seed: int) -> np.ndarray:
    from rvae_lite.points import select_points

    if num_anchors is None:
        num_anchors = min(len(means) // 2, max(means.shape[1] + 1, 64))
    return np.sort(select_points(means, means, num_anchors, seed=seed).ids.astype(int))


def _check_rows(rows, num_data: int) -> np.ndarray:
    rows = np.asarray(rows)
    fitting = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not fitting or rows.min() < 0 or rows.max() >= num_data or len(rows) >= num_data:
        raise ValueError(
            f"anchors must be row numbers below {num_data}, fewer than the data, "
            f"not {rows.shape} {rows.dtype}"
        )
    return rows


def _resamplings(num_data: int, seed: int) -> np.ndarray:
    """How often each datum is drawn, (B, N)."""
    shares = np.full(num_data, 1 / num_data)
    return np.random.default_rng(seed).multinomial(num_data, shares, size=RESAMPLINGS)


def _row(value: float, resampled) -> dict:
    """A value and the middle 95 % of its resamplings, (B,); without an interval if one is not finite."""
    low = high = float("nan")
    if np.isfinite(resampled).all():
        low, high = np.quantile(np.asarray(resampled, dtype=float), [0.025, 0.975])
    return dict(value=float(value), low=float(low), high=float(high))


def _measured(source: _Space, target: _Space, known, rest: np.ndarray, counts: np.ndarray) -> dict:
    """Every measure of one ordered pair: metric -> value, low, high."""
    moments = [_moments(source.means, target.means, weights) for weights in counts]
    variances = [np.trace(moment[2]) for moment in moments]
    lsds = [_lsd(moment) for moment in moments]
    lsd = latent_space_distortion(source.means, target.means)
    variance = total_variance(target.means)
    unexplained = [_ratio(*pair) for pair in zip(lsds, variances, strict=True)]
    r_squared = 1 - lsd / variance if variance > 0 else float("nan")
    overlap = _overlap(source.neighbours, target.neighbours)
    found = dict(
        lsd=_row(lsd, lsds),
        r_squared=_row(r_squared, 1 - np.array(unexplained)),
        cka=_row(linear_cka(source.means, target.means), [_cka(moment) for moment in moments]),
        neighbours=_row(overlap.mean(), _means(overlap, counts)),
    )

    # Distances, of all data as the spaces are and of those that are no anchors after maps.
    def distance(mapped, rows=slice(None)) -> dict:
        away = np.square(mapped - target.means).sum(1)[rows]
        means = _means(away, counts[:, rows])
        return _row(_ratio(away.mean(), variance), list(map(_ratio, means, variances)))

    maps = (source.anchors, target.anchors)
    found["unaligned"] = found["procrustes"] = _row(np.nan, np.nan)
    if source.means.shape[1] == target.means.shape[1]:
        found["unaligned"] = distance(source.means)
        found["procrustes"] = distance(orthogonal_map(*maps)(source.means), rest)
    found["affine"] = distance(linear_map(*maps)(source.means), rest)
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
    """Retraining variability over all spaces, metric -> value, low, high, rank; none if K differs."""
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
    """Log volume of the pooled points over `rank` leading eigenvalues, and variance within data / total."""
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
    """The standard deviation over spaces (S, N, K) of each datum's position over that of all points: (N,)."""
    total = means.reshape(-1, means.shape[2]).var(0).sum()
    return np.sqrt(means.var(0).sum(1) / total) if total > 0 else np.zeros(means.shape[1])


def value_of(comparison: Comparison, source: str, target: str, metric: str) -> float:
    """One number of the table of pairs; nan where it is not there."""
    table = comparison.pairs
    found = table[
        (table.source == source) & (table.target == target) & (table.metric == metric)
    ].value
    return float(found.iloc[0]) if len(found) else float("nan")


def verdicts(comparison: Comparison) -> dict:
    """For each space but the reference, whether it is the reference's, in words: name -> sentence."""
    reference, *others = comparison.spaces
    return {name: _verdict(comparison, name, reference) for name in others}


def _verdict(comparison: Comparison, name: str, reference: str) -> str:
    away = value_of(comparison, name, reference, "unaligned")
    r_squared = value_of(comparison, name, reference, "r_squared")
    by_file = value_of(comparison, name, reference, "known")
    if not np.isfinite(r_squared):
        return f"{reference} has collapsed to a point: nothing can be compared with it"
    if away <= SAME_SPACE:
        share = f"{100 * away:.2g} % of its variance away"
        return f"the space of {reference}: unaligned, points lie {share}"
    if by_file <= SAME_SPACE and np.isfinite(away):
        return (
            f"the space of {reference} at another beta: by the file's own map points lie "
            f"{100 * by_file:.2g} % of its variance away, unaligned {100 * away:.3g} %"
        )
    apart = f", unaligned {100 * away:.3g} % of its variance away" if np.isfinite(away) else ""
    if r_squared >= SAME_SHAPE:
        return f"the space of {reference} up to an affine map (R² {r_squared:.2f}){apart}"
    return f"another space than {reference} (R² {r_squared:.2f}{apart})"
