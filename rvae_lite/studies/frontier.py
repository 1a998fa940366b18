"""Fit against fidelity: what a laboratory gives up of its own loss to stay in another's space.

Not in either paper.  The first laboratory's data, D1, are not the second's, D2, so that the weight
rho of the Rosetta points decides whom the second laboratory's model fits.  A multi-rate model is
trained for every rho.
A table has one row per (data, rho, beta, seed, metric).
"""

from collections.abc import Sequence

from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.reporting import figures
from rvae_lite.studies.measure import distance_rows, run_rows
from rvae_lite.studies.protocols import halves
from rvae_lite.studies.setup import PAPER_GATES, Result, Setup, run_seeds, tidy
from rvae_lite.studies.space_setup import PROFILES, multirate_template, space_setup, train_held
from rvae_lite.studies.study import Study

METHOD = "one training per rho"
study = Study(
    "frontier",
    reproduces="what agreement costs (new)",
    chapter="30_one_space_real_data",
    profiles=PROFILES,
)
study.grid(lambda profile: ["eight_gaussians", "digits"])


@study.unit
def unit(profile, name, keep):
    """Every rho on one data set."""
    name = "eight_gaussians-1" if name == "eight_gaussians" else name
    return frontier(space_setup(profile, name, replicas=min(5, profile.replicas)))


def frontier(
    setup: Setup,
    *,
    rhos: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
    betas=(0.1, 1.0, 3.0),
    template: int = 0,
) -> Result:
    """Train with every rho; measure fit and fidelity on held-out data.

    By rho, beta and run: distance, the unaligned distance to the first laboratory's space on D1 as
    a share of its total variance (fidelity; lower is better), and loss, distortion + beta * rate on
    D2 in nats (fit; lower is better).

    Args:
        setup: data with parts D1 and D2, a plain model, R, epochs, M.
        rhos: weights of the points.
        betas: where the multi-rate models are read off.
        template: seed of the first laboratory and of what follows.
    """
    training, validation = halves(setup)
    d1, d2 = (training.take(training.part == part) for part in (1, 2))
    space, points = multirate_template(setup, d1, template=template, label="first laboratory")
    # The same seeds for every rho.
    seeds = run_seeds(template, METHOD, replicas=setup.replicas)
    rows, fits = [], {METHOD: []}
    for rho in rhos:
        options = dict(method=PAPER_GATES._replace(rho=rho), seed=seeds, label=f"rho {rho:g}")
        runs = train_held(setup, d2.x, points, **options)
        fits[METHOD].append(runs)
        for beta in betas:
            keys = dict(method=METHOD, rho=rho, beta=beta)
            rows += _rows(runs, space, validation, **keys)
    return Result(tidy(setup, rows, space, template=template), fits, space, points, validation)


def _rows(runs: Fit, space: Fit, validation: Dataset, *, beta: float, **keys) -> list[dict]:
    here, there = (validation.x[validation.part == part] for part in (1, 2))
    reference = space.encode(here, beta=beta)[0].numpy()
    loss, keys = runs.evaluate(there, beta=beta).loss(beta), dict(keys, beta=beta)
    rows = distance_rows(runs.encode(here, beta=beta).numpy(), reference, runs.seeds, **keys)
    rows = [dict(row, metric="distance") for row in rows]
    return rows + run_rows(dict(loss=loss), runs.seeds, **keys)


@study.table
def table(own, published, *, beta=1.0):
    """Median distance and loss at one beta: a row per data and rho."""
    groups = own[own.beta == beta].groupby(["data", "rho", "metric"], sort=False)
    return groups.value.median().unstack()


@study.figure
def figure(own, axes=None, *, beta=1.0):
    """Loss over distance, a line through all rho, a panel per data set."""
    found = study.table(own, beta=beta)
    titles = found.index.unique("data")
    axes = figures.figure_row(len(titles), width=3.6, height=3)[1] if axes is None else axes
    for ax, title in zip(axes, titles, strict=True):
        part, style = found.loc[title], dict(marker="o", markersize=4)
        ax.plot(part.distance, part.loss, color=figures.colour_of(METHOD), **style)
        ax.set(xlabel="distance to Alice / variance", ylabel="Bob's loss, nats")
        ax.set(xscale="log", title=title)
    return axes
