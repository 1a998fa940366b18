"""How alike several latent spaces of the same data are: every measure in one table, with bootstrap intervals.

Martinez & Pearson (2021), Eqs. 2 and 3; linear centred kernel alignment after Kornblith et al. (2019).
Letters: S spaces, N data points, K latent dimension, R anchors.
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

MEASURES = {  # metric -> name, what it says, which way is better
    "unaligned": ("distance, as they are", "share of the target's variance", "lower"),
    "known": ("after the file's own map", "share of the target's variance", "lower"),
    "procrustes": ("after a rotation, from anchors", "share of the target's variance", "lower"),
    "affine": ("after an affine map, from anchors", "share of the target's variance", "lower"),
    "lsd": ("LSD, best affine map", "squared units of the target", "lower"),
    "r_squared": ("R² of the best affine map", "1 − LSD / the target's variance", "higher"),
    "cka": ("linear CKA", "0 to 1, blind to rotation and scale", "higher"),
    "neighbours": (f"{NEIGHBOURS} nearest neighbours, in common", "share", "higher"),
}
GROUP_MEASURES = {
    "rv": ("retraining variability", "nats, pseudo-determinant of the stated rank", "lower"),
    "rv_relative": (
        "retraining variability, scale-free",
        "nats, against the pooled points",
        "lower",
    ),
    "rv_within": ("variance within a datum / total", "share", "lower"),
}


class Comparison(NamedTuple):
    """S spaces of N data.

    Attributes:
        spaces: name -> (N, K); the first is the reference.
        anchors: rows of the data that served as anchors, (R,), or None where the anchors are not among the data.
        pairs: a row per ordered pair (source, target) and metric: value, low, high (95 % bootstrap interval).
        group: a row per metric of all spaces at once: value, low, high, rank; empty where K differs.
        instability: standard deviation over spaces of each datum's position over the total one: "as they are" and
            "after affine maps" -> (N,).
        notes: sentences on how it was computed.
        known: name -> (N, K) after the map to the reference that is known of itself, where it is one that moves them.
    """

    spaces: dict
    anchors: np.ndarray | None
    pairs: object
    group: object
    instability: dict
    notes: list
    known: dict


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
        spaces: name -> posterior means of the same N data, (N, K); at least two, the first the reference; K may differ.
        anchors: rows of the data on which the maps "from anchors" are fitted, (R,).
        anchor_spaces: in their place name -> latents of anchors that are not among the data, (R, K).
        num_anchors: without either, so many rows are chosen by k-means in the reference; by default 64 at most.
        known_maps: (source, target) -> LinearMap, where it is known without any of the data, as by
            `spaces.known_maps`.
        seed: of that choice and of the bootstrap.
        progress: show a bar over the pairs; a text becomes its label.

    Returns:
        Comparison.

    Raises:
        ValueError: fewer than two spaces, lengths that differ, NaN, anchors that do not fit.
    """
    spaces = {name: np.asarray(means, dtype=np.float64) for name, means in spaces.items()}
    _check_spaces(spaces)
    notes, reference = [], next(iter(spaces))
    if anchor_spaces is None and anchors is None:
        anchors = _chosen_rows(spaces[reference], num_anchors, seed)
        notes.append(f"{len(anchors)} anchors were chosen by k-means in {reference}")
    if anchor_spaces is None:
        anchors = _check_rows(anchors, len(spaces[reference]))
        anchor_spaces = {name: means[anchors] for name, means in spaces.items()}
    resampled = _resamplings(len(spaces[reference]), seed)
    rest = np.setdiff1d(np.arange(len(spaces[reference])), anchors if anchors is not None else [])
    notes.append(
        "maps from anchors are measured on the other examples" if anchors is not None else ""
    )
    notes.append(
        f"intervals are the middle 95 % of {RESAMPLINGS} resamplings of the examples; anchors and runs are kept"
    )
    neighbours = {name: _neighbours(means) for name, means in spaces.items()}
    known_maps = known_maps or {}
    pairs = [
        dict(source=source, target=target, **row)
        for source, target in _with_a_bar(
            [(a, b) for a in spaces for b in spaces if a != b], progress
        )
        for row in _pair(
            (spaces[source], spaces[target]),
            (anchor_spaces[source], anchor_spaces[target]),
            (neighbours[source], neighbours[target]),
            known=known_maps.get((source, target)),
            rest=rest,
            resampled=resampled,
        )
    ]
    known = {
        name: known_maps[name, reference](spaces[name])
        for name in spaces
        if (name, reference) in known_maps
    }
    known = {
        name: means for name, means in known.items() if not np.array_equal(means, spaces[name])
    }
    import pandas as pd

    group = pd.DataFrame(
        _group(spaces, resampled), columns=["metric", "value", "low", "high", "rank"]
    )
    instability = _instability(spaces)
    notes = [note for note in notes if note]
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
                f"{name} has {len(means)} examples, {first} {len(spaces[first])}: encode the same data"
            )
        if not np.isfinite(means).all():
            raise ValueError(
                f"{name} holds NaN or infinite values: check the training that it comes from"
            )
    if len(spaces[first]) <= NEIGHBOURS + 1:
        raise ValueError(
            f"there are {len(spaces[first])} examples, too few to compare: pass {NEIGHBOURS + 2} or more"
        )


def _chosen_rows(means: np.ndarray, num_anchors: int | None, seed: int) -> np.ndarray:
    from rvae_lite.points import select_points

    count = (
        min(len(means) // 2, max(means.shape[1] + 1, 64)) if num_anchors is None else num_anchors
    )
    return np.sort(select_points(means, means, count, seed=seed).ids.astype(int))


def _check_rows(rows, num_data: int) -> np.ndarray:
    rows = np.asarray(rows)
    fitting = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not fitting or rows.min() < 0 or rows.max() >= num_data or len(rows) >= num_data:
        raise ValueError(
            f"anchors must be row numbers below {num_data}, fewer than the data, not {rows.shape} {rows.dtype}"
        )
    return rows


def _resamplings(num_data: int, seed: int) -> np.ndarray:
    """How often each datum is drawn, (B, N)."""
    return np.random.default_rng(seed).multinomial(
        num_data, np.full(num_data, 1 / num_data), size=RESAMPLINGS
    )


def _interval(values) -> dict:
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        return dict(low=float("nan"), high=float("nan"))
    low, high = np.quantile(values, [0.025, 0.975])
    return dict(low=float(low), high=float(high))


def _pair(latents, anchored, neighbours, *, known, rest: np.ndarray, resampled: np.ndarray):
    """Every measure of one ordered pair, as rows without the names."""
    source, target = latents
    moments = [_moments(source, target, weights) for weights in resampled]
    lsd, variance = latent_space_distortion(source, target), total_variance(target)
    yield dict(metric="lsd", value=lsd, **_interval([_lsd(m) for m in moments]))
    r_squared = 1 - lsd / variance if variance > 0 else float("nan")
    yield dict(
        metric="r_squared",
        value=r_squared,
        **_interval([1 - _ratio(_lsd(m), np.trace(m[2])) for m in moments]),
    )
    whole = _moments(source, target, np.ones(len(source)))
    yield dict(metric="cka", value=_cka(whole), **_interval([_cka(m) for m in moments]))
    overlap = _overlap(*neighbours)
    yield dict(
        metric="neighbours", value=float(overlap.mean()), **_interval(_means(overlap, resampled))
    )
    same = source.shape[1] == target.shape[1]
    moved = dict(
        unaligned=source if same else None, procrustes=None, affine=linear_map(*anchored)(source)
    )
    if same:
        moved["procrustes"] = orthogonal_map(*anchored)(source)
    if known is not None:
        moved["known"] = known(source)
    for metric, mapped in moved.items():
        if mapped is None:
            yield dict(metric=metric, value=float("nan"), low=float("nan"), high=float("nan"))
            continue
        chosen = slice(None) if metric in ("unaligned", "known") else rest
        counts, spread = resampled[:, chosen], [np.trace(m[2]) for m in moments]
        distance = np.square(mapped - target).sum(1)[chosen]
        shares = [
            _ratio(mean, total)
            for mean, total in zip(_means(distance, counts), spread, strict=True)
        ]
        yield dict(metric=metric, value=_ratio(distance.mean(), variance), **_interval(shares))


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
    return _ratio(
        float(np.square(cross).sum()), float(np.linalg.norm(own) * np.linalg.norm(target))
    )


def linear_cka(source, target) -> float:
    """Linear centred kernel alignment of latents of the same data, (N, K) and (N, K'): 0 to 1, nan where collapsed."""
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    return _cka(_moments(source, target, np.ones(len(source))))


def _neighbours(means: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    return (
        NearestNeighbors(n_neighbors=NEIGHBOURS).fit(means).kneighbors(return_distance=False)
    )  # (N, 10), not itself


def _overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share of each datum's nearest neighbours that two spaces have in common: (N,)."""
    return (one[:, :, None] == other[:, None, :]).any(2).mean(1)


def _group(spaces: dict, resampled: np.ndarray):
    """Retraining variability over all spaces, where K is the same."""
    if len({means.shape[1] for means in spaces.values()}) > 1:
        return
    means = np.stack(list(spaces.values()))  # (S, N, K)
    whole, volumes = retraining_variability(means), log_volumes(means)
    finite = np.isfinite(volumes).all()
    volume = _means(volumes, resampled) if finite else np.full(len(resampled), np.nan)
    pooled, within = zip(
        *(_pooled(means, weights, whole.rank) for weights in resampled), strict=True
    )
    yield "rv", whole.value, *_interval(volume).values(), whole.rank
    yield "rv_relative", whole.relative, *_interval(volume - np.array(pooled)).values(), whole.rank
    yield "rv_within", whole.within_fraction, *_interval(within).values(), whole.rank


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
    names, reference = list(spaces), next(iter(spaces.values()))
    mapped = [reference, *(linear_map(spaces[name], reference)(spaces[name]) for name in names[1:])]
    result = {}
    if len({means.shape[1] for means in spaces.values()}) == 1:
        result["as they are"] = _spread(np.stack(list(spaces.values())))
    return result | {"after affine maps": _spread(np.stack(mapped))}


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
    away, r_squared = (
        value_of(comparison, name, reference, metric) for metric in ("unaligned", "r_squared")
    )
    if not np.isfinite(r_squared):
        return f"{reference} has collapsed to a point: nothing can be compared with it"
    if away <= SAME_SPACE:
        return f"the space of {reference}: unaligned, points lie {100 * away:.2g} % of its variance away"
    by_file = value_of(comparison, name, reference, "known")
    if by_file <= SAME_SPACE and np.isfinite(away):
        return (
            f"the space of {reference} at another beta: by the file's own map points lie {100 * by_file:.2g} % of its "
            f"variance away, unaligned {100 * away:.3g} %"
        )
    apart = f", unaligned {100 * away:.3g} % of its variance away" if np.isfinite(away) else ""
    if r_squared >= SAME_SHAPE:
        return f"the space of {reference} up to an affine map (R² {r_squared:.2f}){apart}"
    return f"another space than {reference} (R² {r_squared:.2f}{apart})"
