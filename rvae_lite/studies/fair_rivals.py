"""Does one need it?  Anchoring against everything else that one can do with the same file.

Alice trains on D1 and sends Rosetta points.  Bob trains on D2, and is measured where Alice knows
the truth: on held-out data of D1.
Letters: M replicas, N data points, K latent dimension, R points.
"""

from typing import NamedTuple

import numpy as np
import torch

from rvae_lite import alignment, coverage, rivals
from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.reporting import figures
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.measure import quality_rows, run_rows
from rvae_lite.studies.protocols import distil, halves, train_methods
from rvae_lite.studies.rivals_setup import (
    OURS,
    PROFILES,
    SETS,
    anchored_methods,
    rival_setup,
    templates_of,
)
from rvae_lite.studies.setup import Method, Result, Setup, tidy, train
from rvae_lite.studies.study import Study

WITH_WEIGHTS = {
    "from Alice's weights": Method(start=True),
    "Alice's encoder, frozen": Method(start=True, frozen=("encoder", "head")),
}
AS_IT_IS, SENT, REGRESSION = "as it is", "Alice's model", "regression on the points"
RELATIVE = {"cosines to the points": "cosine", "distances to the points": "distance"}
PARTS = ("D1", "D2")
# The rivals of the figure, and whose colour they have.
SHOWN = {
    "VAE, rotation": "VAE",
    "VAE, ridge affine": "VAE",
    "VAE, smooth": "VAE",
    "VAE, relative cosines": "VAE",
    "from Alice's weights": "VAE, anchors repeated",
    REGRESSION: "VAE, anchors repeated",
    "R-VAE": "R-VAE",
    OURS: "R-VAE",
    f"{OURS}, smooth": "R-VAE",
}
# What one can do -> the rival that was measured, what Alice sends, whether another network may be
# used, whether Bob chooses his beta, and what is trained on his data.
CHOICES = {
    "send the weights": (SENT, "model", "no", "no", "nothing"),
    "go on from the weights": ("from Alice's weights", "model", "no", "yes", "all"),
    "freeze her encoder": ("Alice's encoder, frozen", "model", "no", "no", "decoder"),
    "a rotation": ("VAE, rotation", "points", "yes", "yes", "all"),
    "a ridge map": ("VAE, ridge affine", "points", "yes", "yes", "all"),
    "a smooth map": ("VAE, smooth", "points", "yes", "yes", "all"),
    "relative representations": ("VAE, cosines to the points", "points", "yes", "yes", "all"),
    "regression": (REGRESSION, "points", "none needed", "no", "nothing"),
    "anchoring": (OURS, "points", "yes", "yes", "all"),
    "anchoring, a smooth map": (f"{OURS}, smooth", "points", "yes", "yes", "all"),
}

study = Study(
    "fair_rivals",
    reproduces="anchoring against maps fitted after training (new)",
    chapter="19_do_you_need_it",
    profiles=PROFILES,
)
study.grid(lambda profile: [(name, t) for name in SETS for t in templates_of(profile, name)])


@study.unit
def unit(profile, name, template, keep):
    """One data set with one template."""
    return two_laboratories(rival_setup(profile, name, keep=keep), template=template)


def two_laboratories(setup: Setup, *, template: int = 0) -> Result:
    """Alice trains on D1 and sends points, or her weights; Bob trains on D2 by every method."""
    training, validation = halves(setup)
    d1, d2 = (training.take(training.part == part) for part in (1, 2))
    first = train(setup, d1.x, seed=template, label=f"first laboratory {template}")
    points = distil(setup, first, d1)
    setup = setup._replace(methods=anchored_methods(setup) | WITH_WEIGHTS)
    how = dict(template=template, label=f"rivals {template}", first=first)
    fits = {SENT: first, **train_methods(setup, d2.x, points, **how)}
    alice = Alice.of(first, points, validation)
    rows = regression_rows(alice)
    for name, runs in fits.items():
        rows += rival_rows(alice, name, runs)
    for name in anchored_methods(setup):
        rows += bound_rows(alice, name, fits[name])
    table = tidy(setup, rows, first, template=template)
    return Result(table, fits, first, points, validation, first)


class Alice(NamedTuple):
    """What Bob's latents are measured against.

    first: her model, one replica; points: her Rosetta points.
    parts: "D1" and "D2" -> held-out data; codes: her posterior means of them, (N, K).
    variance: total variance of her means on D1, the unit of distances.
    """

    first: Fit
    points: RosettaPoints
    parts: dict[str, Dataset]
    codes: dict[str, np.ndarray]
    variance: float

    @classmethod
    def of(cls, first: Fit, points: RosettaPoints, validation: Dataset) -> "Alice":
        """Her model and points beside held-out data."""
        parts = {name: validation.take(validation.part == int(name[1])) for name in PARTS}
        codes = {name: first.encode(part.x)[0].numpy() for name, part in parts.items()}
        return cls(first, points, parts, codes, alignment.total_variance(codes["D1"]))


def rival_rows(alice: Alice, name: str, runs: Fit) -> list[dict]:
    """One method by every map from the points to Alice's space, and its own quality."""
    means = {part: runs.encode(data.x).numpy() for part, data in alice.parts.items()}
    anchors, rows = runs.encode(alice.points.x).numpy(), []
    for part, data in alice.parts.items():
        rows += quality_rows(runs, data.x, method=name, mapping=AS_IT_IS, part=part)
    rows += space_rows(alice, means, runs.seeds, method=name, mapping=AS_IT_IS)
    if name in (SENT, *WITH_WEIGHTS):
        return rows
    for label in rivals.MAPS:
        try:
            maps = [rivals.fit_map(label, own, alice.points.z) for own in anchors]
        except ValueError:  # fewer points than this map needs
            continue
        moved = {part: _moved(maps, each) for part, each in means.items()}
        rows += space_rows(alice, moved, runs.seeds, method=name, mapping=label)
    for label, kind in RELATIVE.items():
        keys = dict(kind=kind, method=name, mapping=label)
        rows += relative_rows(alice, means, anchors, runs.seeds, **keys)
    return rows


def _moved(maps: list, means: np.ndarray) -> np.ndarray:
    """Each run's latents, (M, N, K), by its own map."""
    return np.stack([mapping(run) for mapping, run in zip(maps, means, strict=True)])


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
    own = _decoder_error(alice, known[None])[0]
    stitched = _decoder_error(alice, codes["D1"]) / own
    return rows + run_rows(dict(labels=carried, stitched=stitched), seeds, part="D1", **keys)


def _decoder_error(alice: Alice, codes: np.ndarray) -> np.ndarray:
    """Squared error of Alice's decoder on latents (M, N, K) of D1, summed over dimensions: (M,)."""
    x = alice.parts["D1"].x
    x = torch.as_tensor(x / np.float32(255) if x.dtype == np.uint8 else x).flatten(1)
    errors = []
    for run in codes:
        recon = alice.first.decode(run.astype(np.float32))[0].flatten(1)
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
    x = np.concatenate([data.x for data in alice.parts.values()])
    which = np.repeat(PARTS, [len(data.x) for data in alice.parts.values()])
    hers, anchors = np.concatenate([*alice.codes.values()]), alice.points
    nearest, hers_constant = coverage.distances_to_anchors(x, anchors.x), _constant(alice.first, 0)
    rows = []
    for m, seed in enumerate(runs.seeds):
        run = runs.select([m])
        apart = run.encode(x)[0].numpy() - hers
        at_points = run.encode(anchors.x)[0].numpy() - anchors.z
        errors, away = (np.linalg.norm(each, axis=1) for each in (at_points, apart))
        options = dict(constant=hers_constant + _constant(run, 0))
        certain = coverage.covering_bound(x, anchors.x, errors, **options)
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
            found = [_rank_correlation(nearest[here], away[here])]
            keys = dict(method=name, mapping=AS_IT_IS, part=part)
            rows += run_rows(dict(covered_rank=found), [seed], **keys)
    return rows


def _constant(runs: Fit, m: int) -> float:
    return coverage.lipschitz_bound(runs.replica(m))


def _bend(z: np.ndarray, apart: np.ndarray) -> float:
    """The largest distance of a displacement, (N, K), from its best affine map of z, (N, K)."""
    fitted = alignment.linear_map(z, apart)(z)
    return float(np.linalg.norm(apart - fitted, axis=1).max())


def _rank_correlation(one, other) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


def rival_of(own):
    """What stands in a row of the comparison: a method, or a method and the map behind it."""
    return own.method.where(own.mapping == AS_IT_IS, own.method + ", " + own.mapping)


def medians(own, metric: str, part: str = "D1"):
    """Medians over runs and templates: a row per rival, a column per data set."""
    chosen = own[(own.metric == metric) & (own.part == part)].assign(rival=rival_of)
    layout = dict(index="rival", columns="data", values="value", sort=False)
    return chosen.pivot_table(aggfunc="median", **layout)


def beside(own, title: str):
    """One data set's rivals: a row each, medians over runs and templates.

    distance: to Alice's latents of D1, a share of their variance; labels: share carried over;
    her decoder: its squared error on the rival's latents, a multiple of that on hers.
    """
    import pandas as pd

    rows = own[own["data"] == title]
    columns = {"distance": "distance", "labels": "labels", "her decoder": "stitched"}
    found = {name: medians(rows, metric)[title] for name, metric in columns.items()}
    return pd.DataFrame(found).loc[[SENT, "VAE", *SHOWN]].round(3)


def decisions(own):
    """What each choice needs, and medians over the data sets of what it reaches.

    own error: squared error on D2 of the model that Bob ends with, a multiple of the plain VAE's;
    the other numbers as in `beside`.
    """
    import pandas as pd

    columns = ["travels", "other network", "free beta", "trained on D2"]
    told = {choice: qualities for choice, (_, *qualities) in CHOICES.items()}
    told = pd.DataFrame.from_dict(told, orient="index", columns=columns)
    error = medians(own, "squared_error", "D2")
    measured = {"distance": "distance", "labels": "labels", "her decoder": "stitched"}
    found = {name: medians(own, metric) for name, metric in measured.items()}
    found["own error"] = error / error.loc["VAE"]
    for name, frame in found.items():
        at = [rival for rival, *_ in CHOICES.values()]
        if name == "own error":  # a map behind a training changes nothing of it
            maps = (*rivals.MAPS, *RELATIVE)
            at = [next((r[: -len(m) - 2] for m in maps if r.endswith(f", {m}")), r) for r in at]
        told[name] = frame.median(axis=1).reindex(at).to_numpy()
    return told


def nearest_of(own):
    """The distance of the best of each kind of rival: a row a data set, medians over runs."""
    import pandas as pd

    near = medians(own, "distance")
    behind = {method: [f"{method}, {name}" for name in rivals.MAPS] for method in ("VAE", OURS)}
    found = {
        "a rotation": near.loc["VAE, rotation"],
        "the best map": near.reindex(behind["VAE"]).min(),
        "R-VAE": near.loc["R-VAE"],
        OURS: near.loc[OURS],
        "its best map": near.reindex(behind[OURS]).min(),
        "regression": near.loc[REGRESSION],
    }
    return pd.DataFrame(found)


@study.table
def table(own, published, *, metric="distance", part="D1"):
    """Medians (interquartile ranges) over runs and templates, as text."""
    chosen = own[(own.metric == metric) & (own.part == part)].assign(rival=rival_of)
    grouped = chosen.groupby(["rival", "data"], sort=False).value
    median, iqr = grouped.median(), grouped.quantile(0.75) - grouped.quantile(0.25)
    texts = median.map("{:.3f}".format) + " (" + iqr.map("{:.3f}".format) + ")"
    return texts.unstack("data", sort=False).reindex(columns=own["data"].unique()).fillna("—")


@study.figure
def figure(own, axes=None):
    """Every run's distance to Alice's space on D1: a panel a data set, a line a rival."""
    chosen = own[(own.metric == "distance") & (own.part == "D1")].assign(rival=rival_of)
    sets = list(chosen["data"].unique())
    axes = np.atleast_1d(figures.figure_row(len(sets), height=3.0)[1] if axes is None else axes)
    for number, (ax, name) in enumerate(zip(axes, sets, strict=True)):
        for row, (rival, method) in enumerate(SHOWN.items()):
            values = chosen[(chosen["data"] == name) & (chosen.rival == rival)].value
            style = dict(color=figures.colour_of(method), linewidths=0)
            ax.scatter(values, [row] * len(values), s=10, alpha=0.5, **style)
            ax.plot(values.median(), row, "|", markersize=11, color=style["color"])
        ax.set(title=name, xscale="log", xlabel="distance to Alice / her variance")
        ax.set(xlim=(1e-3, 30))
        left = number % max(1, -(-len(sets) // 2)) == 0
        ax.set_yticks(range(len(SHOWN)), SHOWN if left else [])
        ax.invert_yaxis()
    return axes


def plot_covered(nearest, away, part, *, ax=None):
    """Distances to Alice's latents over those to the nearest point, (N,), by part, 1 or 2."""
    ax = figures.figure_row(1, width=4.2, height=2.8)[1] if ax is None else ax
    for number, colour in ((1, figures.GROUPS[1]), (2, figures.GROUPS[2])):
        here = np.asarray(part) == number
        style = dict(s=6, alpha=0.6, linewidths=0, color=colour)
        ax.scatter(nearest[here], away[here], label=f"D{number}", **style)
    ax.set(xlabel="distance to the nearest point's input", ylabel="distance to Alice's latent")
    ax.legend()
    return ax
