"""Does one need it?  Anchoring against everything else that one can do with the same file.

Alice trains on D1 and sends Rosetta points.  Bob trains on D2, and is measured where Alice knows
the truth: on held-out data of D1.
Letters: N data points.
"""

import numpy as np

from rvae_lite import rivals
from rvae_lite.reporting import figures
from rvae_lite.studies.protocols import distil, halves, train_methods
from rvae_lite.studies.rival_rows import (
    AS_IT_IS,
    REGRESSION,
    Alice,
    bound_rows,
    in_alices_space,
    regression_rows,
    rival_rows,
)
from rvae_lite.studies.rivals_setup import (
    OURS,
    PROFILES,
    anchored_methods,
    cells_of,
    rival_setup,
)
from rvae_lite.studies.setup import Method, Result, Setup, tidy, train
from rvae_lite.studies.study import Study

WITH_WEIGHTS = {
    "from Alice's weights": Method(start=True),
    "Alice's encoder, frozen": Method(start=True, frozen=("encoder", "head")),
}
SENT = "Alice's model"
# The rivals of the figure: what they are called there, and whose colour they have.
SHOWN = {
    "VAE, rotation": ("rotation", "VAE"),
    "VAE, ridge affine": ("ridge", "VAE"),
    "VAE, smooth": ("smooth", "VAE"),
    "VAE, relative cosines": ("cosines", "VAE"),
    "from Alice's weights": ("weights", "VAE, anchors repeated"),
    REGRESSION: ("regression", "VAE, anchors repeated"),
    "R-VAE": ("R-VAE", "R-VAE"),
    OURS: ("decoded", "R-VAE"),
    f"{OURS}, smooth": ("+ smooth", "R-VAE"),
}
# What one can do -> the method and the map that were measured, what Alice sends, whether another
# network may be used, whether Bob chooses his beta, and what is trained on his data.
CHOICES = {
    "send the weights": (SENT, AS_IT_IS, "model", "no", "no", "nothing"),
    "go on from the weights": ("from Alice's weights", AS_IT_IS, "model", "no", "yes", "all"),
    "freeze her encoder": ("Alice's encoder, frozen", AS_IT_IS, "model", "no", "no", "decoder"),
    "a rotation": ("VAE", "rotation", "points", "yes", "yes", "all"),
    "a ridge map": ("VAE", "ridge affine", "points", "yes", "yes", "all"),
    "a smooth map": ("VAE", "smooth", "points", "yes", "yes", "all"),
    "relative representations": ("VAE", "cosines to the points", "points", "yes", "yes", "all"),
    "regression": (REGRESSION, AS_IT_IS, "points", "none needed", "no", "nothing"),
    "anchoring": (OURS, AS_IT_IS, "points", "yes", "yes", "all"),
    "anchoring, a smooth map": (OURS, "smooth", "points", "yes", "yes", "all"),
}

study = Study(
    "fair_rivals",
    reproduces="anchoring against maps fitted after training (new)",
    chapter="19_do_you_need_it",
    minutes=dict(cpu=80),
    profiles=PROFILES,
)
study.grid(cells_of)


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
    anchored = anchored_methods(setup)
    setup = setup._replace(methods=anchored | WITH_WEIGHTS)
    how = dict(template=template, label=f"rivals {template}", first=first)
    fits = {SENT: first, **train_methods(setup, d2.x, points, **how)}
    alice = Alice.of(first, points, validation)
    rows = regression_rows(alice)
    for name, runs in fits.items():
        rows += rival_rows(alice, name, runs, mapped=name in anchored)
    for name in anchored:
        rows += bound_rows(alice, name, fits[name])
    table = tidy(setup, rows, first, template=template)
    return Result(table, fits, first, points, validation, first)


def rival_of(own):
    """What stands in a row of the comparison: a method, or a method and the map behind it."""
    return own.method.where(own.mapping == AS_IT_IS, own.method + ", " + own.mapping)


def medians(own, metric: str, part: str = "D1"):
    """Medians over runs and templates: a row per rival, a column per data set."""
    chosen = own[(own.metric == metric) & (own.part == part)].assign(rival=rival_of)
    layout = dict(index="rival", columns="data", values="value", sort=False)
    return chosen.pivot_table(aggfunc="median", **layout)


def beside(own, title: str):
    """One data set's rivals, a row each: the columns of `in_alices_space`."""
    found = in_alices_space(own[own["data"] == title])
    named = found.set_axis(rival_of(found.reset_index())).rename_axis("rival")
    return named.loc[[SENT, "VAE", *SHOWN]].round(3)


def decisions(own):
    """What each choice needs, and medians over the data sets of what it reaches.

    own error: squared error on D2 of the model that Bob ends with, a multiple of the plain VAE's;
    the other numbers as in `in_alices_space`.
    """
    import pandas as pd

    columns = ["travels", "other network", "free beta", "trained on D2"]
    told = {choice: qualities for choice, (_, _, *qualities) in CHOICES.items()}
    told = pd.DataFrame.from_dict(told, orient="index", columns=columns)
    measured = {"distance": "distance", "labels": "labels", "her decoder": "stitched"}
    pairs = [(method, mapping) for method, mapping, *_ in CHOICES.values()]
    names = [method if mapping == AS_IT_IS else f"{method}, {mapping}" for method, mapping in pairs]
    for name, metric in measured.items():
        told[name] = medians(own, metric).median(axis=1).reindex(names).to_numpy()
    # A map behind a training changes nothing of its own error.
    error = medians(own, "squared_error", "D2")
    error = (error / error.loc["VAE"]).median(axis=1)
    told["own error"] = error.reindex([method for method, _ in pairs]).to_numpy()
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
    axes = np.atleast_1d(figures.figure_row(len(sets), height=2.5)[1] if axes is None else axes)
    for ax, name in zip(axes, sets, strict=True):
        for row, (rival, (_, method)) in enumerate(SHOWN.items()):
            values = chosen[(chosen["data"] == name) & (chosen.rival == rival)].value
            style = dict(color=figures.colour_of(method), linewidths=0)
            ax.scatter(values, [row] * len(values), s=10, alpha=0.5, **style)
            ax.plot(values.median(), row, "|", markersize=11, color=style["color"])
        ax.set(title=name, xscale="log", xlabel="distance / variance", xlim=(1e-3, 30))
        ax.set_yticks(range(len(SHOWN)), [short for short, _ in SHOWN.values()])
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
