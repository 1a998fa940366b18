"""What a rival of anchoring reaches in the first laboratory's space, as rows of a table.

Letters: M replicas, N data points, K latent dimension, R points.
"""

from typing import NamedTuple

import numpy as np
import torch

from rvae_lite import alignment, coverage, rivals
from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.measure import quality_rows, run_rows

AS_IT_IS, REGRESSION = "as it is", "regression on the points"
RELATIVE = {"cosines to the points": "cosine", "distances to the points": "distance"}
PARTS = ("D1", "D2")


class Alice(NamedTuple):
    """What Bob's latents are measured against.

    first: her model, one replica; points: her Rosetta points.
    parts: "D1" and "D2" -> held-out data; codes: her posterior means of them, (N, K).
    variance: total variance of her means on D1, the unit of distances.
    error: squared error of her decoder on D1, the unit of `stitched`.
    """

    first: Fit
    points: RosettaPoints
    parts: dict[str, Dataset]
    codes: dict[str, np.ndarray]
    variance: float
    error: float

    @classmethod
    def of(cls, first: Fit, points: RosettaPoints, validation: Dataset) -> "Alice":
        """Her model and points beside held-out data."""
        parts = {name: validation.take(validation.part == int(name[1])) for name in PARTS}
        codes = {name: first.encode(part.x)[0].numpy() for name, part in parts.items()}
        error = _decoder_errors(first, parts["D1"].x, codes["D1"][None])[0]
        variance = alignment.total_variance(codes["D1"])
        return cls(first, points, parts, codes, variance, error)


def rival_rows(alice: Alice, name: str, runs: Fit, *, mapped: bool) -> list[dict]:
    """One method's own quality, and by every map from the points to Alice's space if `mapped`."""
    rows = []
    for part, data in alice.parts.items():
        rows += quality_rows(runs, data.x, method=name, mapping=AS_IT_IS, part=part)
    means, anchors = latents_of(alice, runs)
    maps = rivals.MAPS if mapped else ()
    rows += mapped_rows(alice, means, anchors, runs.seeds, maps=maps, method=name)
    for label, kind in RELATIVE.items() if mapped else ():
        keys = dict(kind=kind, method=name, mapping=label)
        rows += relative_rows(alice, means, anchors, runs.seeds, **keys)
    return rows


def latents_of(alice: Alice, runs: Fit) -> tuple[dict, np.ndarray]:
    """Posterior means of both parts, part -> (M, N, K), and of the points' inputs, (M, R, K)."""
    means = {part: runs.encode(data.x).numpy() for part, data in alice.parts.items()}
    return means, runs.encode(alice.points.x).numpy()


def spaces_of(alice: Alice, means: dict, anchors: np.ndarray, *, maps=rivals.MAPS):
    """Latents as they are and by each map that the points determine: name, part -> (M, N, K)."""
    yield AS_IT_IS, means
    for label in maps:
        try:
            fitted = [rivals.fit_map(label, own, alice.points.z) for own in anchors]
        except rivals.TooFewAnchors:
            continue
        moved = {}
        for part, each in means.items():
            pairs = zip(fitted, each, strict=True)
            moved[part] = np.stack([mapping(run) for mapping, run in pairs])
        yield label, moved


def mapped_rows(alice: Alice, means: dict, anchors, seeds, *, maps=rivals.MAPS, **keys):
    """`space_rows` of latents as they are and by each map that the points determine."""
    rows = []
    for label, codes in spaces_of(alice, means, anchors, maps=maps):
        rows += space_rows(alice, codes, seeds, mapping=label, **keys)
    return rows


def space_rows(alice: Alice, codes: dict, seeds, **keys) -> list[dict]:
    """Latents in Alice's coordinates, part -> (M, N, K), against hers.

    distance: mean squared distance as a share of her variance on D1; labels: share of D1 that
    nearest neighbours among her data label rightly; stitched: squared error of her decoder on these
    latents, a multiple of hers on her own; rv_relative: retraining variability, scale-free.
    """
    rows = []
    for part, each in codes.items():
        away = [alignment.mean_squared_distance(run, alice.codes[part]) for run in each]
        shares = [distance / alice.variance for distance in away]
        rows += run_rows(dict(distance=shares), seeds, part=part, **keys)
        if len(each) > 1:
            found = alignment.retraining_variability(each)
            values = dict(rv_relative=found.relative, within_fraction=found.within_fraction)
            rows += [dict(keys, part=part, metric=m, value=v) for m, v in values.items()]
    known, data = alice.codes["D1"], alice.parts["D1"]
    labels = data.labels
    carried = [alignment.label_transfer(known, labels, run, labels) for run in codes["D1"]]
    stitched = _decoder_errors(alice.first, data.x, codes["D1"]) / alice.error
    return rows + run_rows(dict(labels=carried, stitched=stitched), seeds, part="D1", **keys)


def in_alices_space(own):
    """Medians over runs and templates of D1 in Alice's space: a row per method and mapping.

    distance: to Alice's latents, a share of their variance; labels: share carried over;
    her decoder: its squared error on these latents, a multiple of that on hers.
    """
    layout = dict(index=["method", "mapping"], columns="metric", values="value", sort=False)
    found = own[own.part == "D1"].pivot_table(aggfunc="median", **layout)
    found = found[["distance", "labels", "stitched"]].rename_axis(columns=None)
    return found.rename(columns=dict(stitched="her decoder"))


def _decoder_errors(first: Fit, x, codes: np.ndarray) -> np.ndarray:
    """Squared error of a decoder on latents (M, N, K) of x, summed over dimensions: (M,)."""
    x, errors = torch.from_numpy(_flat(x)), []
    for run in codes:
        recon = first.decode(run.astype(np.float32))[0].flatten(1)
        errors.append(float((recon - x).square().sum(1).mean()))
    return np.array(errors)


def relative_rows(alice: Alice, means: dict, anchors, seeds, *, kind: str, **keys) -> list[dict]:
    """Relative representations in place of coordinates: distance to Alice's own, and labels."""
    hers = rivals.relative(alice.codes["D1"], alice.points.z, kind=kind)
    pairs = zip(means["D1"], anchors, strict=True)
    theirs = [rivals.relative(z, own, kind=kind) for z, own in pairs]
    away = [alignment.mean_squared_distance(run, hers) for run in theirs]
    labels = alice.parts["D1"].labels
    values = dict(
        distance=np.array(away) / alignment.total_variance(hers),
        labels=[alignment.label_transfer(hers, labels, run, labels) for run in theirs],
    )
    return run_rows(values, seeds, part="D1", **keys)


def regression_rows(alice: Alice) -> list[dict]:
    """No training at all: a smooth map from inputs to latents, fitted on the points alone."""
    anchors, *data = (_flat(x) for x in (alice.points.x, *(d.x for d in alice.parts.values())))
    mapping = rivals.smooth_map(anchors, alice.points.z)
    codes = {part: mapping(x)[None] for part, x in zip(PARTS, data, strict=True)}
    return space_rows(alice, codes, [None], method=REGRESSION, mapping=AS_IT_IS)


def _flat(x) -> np.ndarray:
    values = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    return values / 255 if np.asarray(x).dtype == np.uint8 else values


def bound_rows(alice: Alice, name: str, runs: Fit) -> list[dict]:
    """How far every datum of both parts lies from Alice's latent, against what the points promise.

    bound_held, affine_bound_held: shares of data that keep to the bound, 1 if it is true.
    bound_factor, affine_bound_factor: median of bound / distance; none without a bound.
    covered_rank: rank correlation of a datum's distance to its nearest point with that to Alice's
    latent.
    """
    from scipy.stats import spearmanr

    x = np.concatenate([data.x for data in alice.parts.values()])
    which = np.repeat(PARTS, [len(data.x) for data in alice.parts.values()])
    hers, anchors = np.concatenate([*alice.codes.values()]), alice.points
    nearest = coverage.distances_to_anchors(x, anchors.x)
    constant = coverage.lipschitz_bound(alice.first.replica(0))
    rows = []
    for m, seed in enumerate(runs.seeds):
        run = runs.select([m])
        apart = run.encode(x)[0].numpy() - hers
        at_points = run.encode(anchors.x)[0].numpy() - anchors.z
        errors, away = (np.linalg.norm(each, axis=1) for each in (at_points, apart))
        both = constant + coverage.lipschitz_bound(run.replica(0))
        certain = coverage.covering_bound(x, anchors.x, errors, constant=both)
        bend = _bend(np.concatenate([hers, anchors.z]), np.concatenate([apart, at_points]))
        affine = coverage.affine_bound(hers, anchors.z, errors, bend=bend)
        values = {}
        for label, bound in (("bound", certain), ("affine_bound", affine)):
            if not np.isfinite(bound).all():  # the points do not span Alice's space
                continue
            values[f"{label}_held"] = [np.mean(away <= bound * (1 + 1e-5) + 1e-6)]
            values[f"{label}_factor"] = [np.median(bound / np.maximum(away, 1e-12))]
        rows += run_rows(values, [seed], method=name, mapping=AS_IT_IS, part="all")
        for part in (*PARTS, "all"):
            here = slice(None) if part == "all" else which == part
            found = dict(covered_rank=[spearmanr(nearest[here], away[here]).statistic])
            rows += run_rows(found, [seed], method=name, mapping=AS_IT_IS, part=part)
    return rows


def _bend(z: np.ndarray, apart: np.ndarray) -> float:
    """The largest distance of a displacement, (N, K), from its best affine map of z, (N, K)."""
    fitted = alignment.linear_map(z, apart)(z)
    return float(np.linalg.norm(apart - fitted, axis=1).max())
