"""Protocols: how the units of several studies train and measure, data in, a `Result` out.

Martinez & Pearson (2021), Sections 3.1 and 3.2, Appendix B.
A table has one row per (recipe, data, method, beta, rho, R, template, seed, part, metric); `seed`
is empty where the value belongs to the whole ensemble.
Letters: M replicas, N data points, K latent dimension, R Rosetta points.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from rvae_lite.anchors import PointsNotReached
from rvae_lite.data import Dataset, split
from rvae_lite.fitted import Fit, Start
from rvae_lite.multirate import is_multirate
from rvae_lite.points import curve_points, select_points
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.measure import (
    anchored_rows,
    distance_rows,
    portability_rows,
    quality_rows,
    variability_rows,
)
from rvae_lite.studies.setup import (
    PLAIN,
    REPEATED_ANCHORS,
    SAME_SEED,
    Result,
    Setup,
    run_seeds,
    tidy,
    train,
)

# What each protocol adds to the paper's methods: the controls of this book.
CONTROLS = dict(reproducibility=SAME_SEED, sequential=REPEATED_ANCHORS)


def halves(setup: Setup) -> tuple[Dataset, Dataset]:
    """The setup's data, split into training and held-out data."""
    mask = split(setup.dataset, seed=0)
    return setup.dataset.take(mask), setup.dataset.take(~mask)


def reproducibility(setup: Setup, *, template: int = 0) -> Result:
    """Section 3.1: train a template, distil it, retrain M times on the same data by every method.

    Measured on the Rosetta points ("R1") and on held-out data ("rest").

    Args:
        setup: data, model, methods.
        template: seed of the template and of everything that follows from it.
    """
    training, validation = halves(setup)
    target = train(setup, training.x, seed=template, label=f"template {template}")
    points = distil(setup, target, training)
    label = f"reproducibility {template} R{setup.num_points}"
    fits = train_methods(setup, training.x, points, template=template, label=label)
    parts = dict(R1=points.x, rest=validation.x)
    references = {part: target.encode(x)[0].numpy() for part, x in parts.items()}
    rows = []
    for name, runs in fits.items():
        for part, x in parts.items():
            means, keys = runs.encode(x).numpy(), dict(method=name, part=part)
            rows += variability_rows(means, **keys)
            rows += distance_rows(means, references[part], runs.seeds, **keys)
        rows += quality_rows(runs, validation.x, part="rest", method=name)
    table = _table(setup, rows, target, recipe="reproducibility", template=template)
    return Result(table, fits, target, points, validation)


def sequential(setup: Setup, *, template: int = 0, points_from: str = "first") -> Result:
    """Section 3.2: Alice trains on D1, Bob on D2 and her Rosetta points; the target saw both.

    Measured on held-out data of D1 and D2, with one linear map for both (Eq. 2), against the
    joint model.

    Args:
        setup: data, model, methods.
        template: seed of the joint model, of Alice's and of everything that follows.
        points_from: "first", the paper's: points from Alice's model; "joint": from the target
            itself, which shows what the first laboratory's ignorance of D2 costs.
    """
    if points_from not in ("first", "joint"):
        raise ValueError(f"points_from must be 'first' or 'joint', not {points_from!r}")
    training, validation = halves(setup)
    d1, d2 = (training.take(training.part == part) for part in (1, 2))
    target = train(setup, training.x, seed=template, label=f"joint {template}")
    first = train(setup, d1.x, seed=template, label=f"first laboratory {template}")
    points = distil(setup, first if points_from == "first" else target, d1)
    label = f"sequential {template} R{setup.num_points}"
    label += "" if points_from == "first" else f" {points_from}"
    second = setup._replace(model=setup.second_model or setup.model)
    fits = train_methods(second, d2.x, points, template=template, label=label)
    reference, alice = (one.encode(validation.x)[0].numpy() for one in (target, first))
    rows = []
    for name, runs in fits.items():
        means, anchors = runs.encode(validation.x).numpy(), runs.encode(points.x).numpy()
        for m, seed in enumerate(runs.seeds):
            one = portability_rows(means[m], reference, validation)
            own = dict(points=points, dataset=validation)
            one += anchored_rows(means[m], anchors[m], alice, **own)
            rows += [dict(row, method=name, seed=seed) for row in one]
        for part in (1, 2):
            here = validation.part == part
            rows += variability_rows(means[:, here], method=name, part=f"D{part}")
        rows += quality_rows(runs, validation.x[validation.part == 2], part="D2", method=name)
    keys = dict(recipe="sequential", template=template, points_from=points_from)
    return Result(_table(setup, rows, target, **keys), fits, target, points, validation, first)


PROTOCOLS = dict(reproducibility=reproducibility, sequential=sequential)


def _table(setup: Setup, rows: list[dict], trained: Fit, **columns):
    """The tidy table, each row with the beta and rho of its method."""
    for row in rows:
        method = setup.methods[row["method"]]
        row.update(beta=method.beta, rho=method.rho)
    return tidy(setup, rows, trained, **columns)


def train_methods(
    setup: Setup,
    x,
    points: RosettaPoints,
    *,
    template: int,
    label: str = "",
    first: Fit | None = None,
) -> dict[str, Fit]:
    """Train every method on x and the points' inputs; those that are trained alike as one ensemble.

    first: where those methods start that do not start from random weights.

    In a setup that keeps trainings each method is an ensemble, and a file, of its own.
    """
    num_batches = -(-len(x) // setup.batch_size)
    groups: dict[tuple, list[str]] = {}
    for name, method in setup.methods.items():
        count = num_batches if method.repeats is None else method.repeats
        alike = (method.target, method.start, method.frozen, setup.keep and name)
        groups.setdefault((count, *alike), []).append(name)
    fits, replicas = {}, setup.replicas
    for (count, target, started, frozen, _), names in groups.items():
        methods = [setup.methods[name] for name in names]
        seeds = [_method_seeds(name, setup, template) for name in names]
        ensemble = train(
            setup,
            np.concatenate([np.asarray(x), *[points.x] * count]),
            label=f"{label} {', '.join(names)}".strip(),
            method=PLAIN._replace(target=target),
            start=Start(first, frozen) if started else None,
            replicas=len(names) * replicas,
            seed=sum(seeds, []),
            beta=np.repeat([method.beta for method in methods], replicas).tolist(),
            rho=np.repeat([method.rho for method in methods], replicas).tolist(),
            points=points,
        )
        for position, name in enumerate(names):
            fits[name] = ensemble.select(range(position * replicas, (position + 1) * replicas))
    return {name: fits[name] for name in setup.methods}


def _method_seeds(name: str, setup: Setup, template: int) -> list[int]:
    seeds = run_seeds(template, name, replicas=setup.replicas)
    return seeds[:1] * setup.replicas if setup.methods[name].same_seed else seeds


def distil(setup: Setup, trained: Fit, dataset: Dataset, *, selected_at=None) -> RosettaPoints:
    """The setup's number of Rosetta points out of a trained model (one replica), with its data.

    Args:
        setup: R, and how points are selected.
        trained: a plain model; a multi-rate one gives curves over beta.
        dataset: what it was trained on.
        selected_at: the betas whose latents select the curves, see `curve_points`.
    """
    info = dataset.info
    header = dict(source=info["title"], licence=info["licence"], likelihood=setup.model.likelihood)
    options = dict(method=setup.selection, ids=dataset.ids, header=header)
    if is_multirate(trained.model):
        options["selected_at"] = selected_at
        return curve_points(trained, dataset.x, setup.num_points, **options)
    options["decode"] = trained.decode
    if "preprocessing" in info:
        header["preprocessing"] = info["preprocessing"]
    header["beta"] = float(trained.beta[0])
    return select_points(dataset.x, trained.encode(dataset.x)[0], setup.num_points, **options)


def select_beta_rho(
    setup: Setup,
    points: RosettaPoints,
    *,
    betas: Sequence[float] = tuple(np.arange(0, 25.1, 2.5)),
    rhos: Sequence[float] = tuple(np.arange(0, 15.1, 0.75)),
    tolerance: float = 0.02,
    template: int = 0,
):
    """Choose beta and rho on validation data (Appendix B: after 20 epochs, these grids).

    Each candidate trains the setup's number of replicas, from the same seeds.

    Returns:
        beta, rho and a table, a row per candidate: parameter, value, median validation -ELBO, nats.

    Differs from the paper, which does not print its criterion: beta is the positive one with the
    lowest validation -ELBO, taken at beta = 1; rho the largest whose -ELBO is within `tolerance` of
    the best, since the -ELBO alone would always choose rho = 0.
    """
    import pandas as pd

    training, validation = halves(setup)
    candidates = [("beta", beta, beta, 0.0) for beta in betas]
    candidates += [("rho", rho, 1.0, rho) for rho in rhos]
    columns = ["parameter", "value", "beta", "rho"]
    table, replicas = pd.DataFrame(candidates, columns=columns), setup.replicas
    with warnings.catch_warnings():
        # Some candidates are too weak to reach the points.
        warnings.simplefilter("ignore", PointsNotReached)
        ensemble = train(
            setup,
            np.concatenate([training.x, points.x]),
            label="beta and rho",
            replicas=len(table) * replicas,
            seed=run_seeds(template, "VAE", replicas=replicas) * len(table),
            beta=table.beta.repeat(replicas).tolist(),
            rho=table.rho.repeat(replicas).tolist(),
            points=points,
        )
    losses = ensemble.evaluate(validation.x).loss().reshape(len(table), replicas)
    table = table[columns[:2]].assign(negative_elbo=np.median(losses, axis=1))
    over_beta = table[(table.parameter == "beta") & (table.value > 0)]
    over_rho = table[table.parameter == "rho"]
    best = over_rho.negative_elbo.min()
    within = over_rho[over_rho.negative_elbo <= best + tolerance * abs(best)]
    chosen = over_beta.loc[over_beta.negative_elbo.idxmin(), "value"]
    return float(chosen), float(within.value.max()), table
