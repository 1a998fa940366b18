"""The paper's experiments as functions: data in, a tidy table and the trained models out.

Martinez & Pearson (2021), Sections 3.1 and 3.2, Appendix B.
A table has one row per (recipe, data, method, beta, rho, R, template, seed, part, metric); `seed` is empty where the
value belongs to the whole ensemble.  Letters: M replicas, N data points, K latent dimension, R Rosetta points.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from rvae_lite.checkpoints import kept_as
from rvae_lite.data import Dataset, split
from rvae_lite.fitted import Fit
from rvae_lite.points import select_points
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.measure import (
    anchored_rows,
    distance_rows,
    portability_rows,
    quality_rows,
    variability_rows,
)
from rvae_lite.train import fit


class Method(NamedTuple):
    """One row of the paper's tables.

    beta, rho: weights of the rate and of the Rosetta points.
    same_seed: every run starts from the same seed.
    repeats: how often the anchors' inputs join the data; None: once per batch, as often as the R-VAE meets them.
    """

    beta: float = 1.0
    rho: float = 0.0
    same_seed: bool = False
    repeats: int | None = 1


def methods_of(*, beta: float = 2.5, rho: float = 15.0) -> dict[str, Method]:
    """The paper's three methods."""
    return {"VAE": Method(), "beta-VAE": Method(beta=beta), "R-VAE": Method(rho=rho)}


SAME_SEED = {"VAE (same seed)": Method(same_seed=True)}
REPEATED_ANCHORS = {"VAE, anchors repeated": Method(repeats=None)}


class Setting(NamedTuple):
    """What an experiment is run on.

    dataset, model: data and the pattern of every model.
    num_points: R; selection: how they are chosen.
    second_model: the second laboratory's pattern in sequential training, by default the first's (Appendix F).
    epochs, batch_size, learning_rate: of every training, the templates' included.
    replicas: M, runs per method.
    methods: name -> Method.
    compile: as in `fit`.
    folder: where every training is kept, so that what was interrupted goes on and what is finished loads at once.
    progress: show a bar for every training.
    """

    dataset: Dataset
    model: nn.Module
    num_points: int
    epochs: int
    batch_size: int
    methods: dict[str, Method]
    replicas: int = 10
    selection: str = "kmeans"
    learning_rate: float = 1e-3
    compile: bool | str = "auto"
    folder: Path | None = None
    progress: bool = False
    second_model: nn.Module | None = None


class Study(NamedTuple):
    """What a recipe returns.

    table: the tidy results, a pandas DataFrame.
    target: the model whose space the runs should recover, one replica.
    points: the Rosetta points.
    fits: method -> its M trained replicas.
    validation: the held-out data.
    first: in sequential training, the first laboratory's model.
    """

    table: object
    target: Fit
    points: RosettaPoints
    fits: dict[str, Fit]
    validation: Dataset
    first: Fit | None = None


def train(setting: Setting, x, *, seed, label: str, replicas: int = 1, **options) -> Fit:
    """`fit` with the setting's model, epochs and batches; in the setting's folder the training is kept as `label`."""
    return fit(
        setting.model,
        x,
        replicas=replicas,
        seed=seed,
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        compile=setting.compile,
        checkpoint=kept_as(setting.folder, label),
        progress=label if setting.progress else False,
        **options,
    )


def train_methods(
    setting: Setting, x, points: RosettaPoints, *, template: int, label: str = ""
) -> dict[str, Fit]:
    """Train every method on x and the anchors' inputs; those that see the same data train as one ensemble.

    In a setting with a folder each method is an ensemble, and a file, of its own.
    """
    num_batches = -(-len(x) // setting.batch_size)
    repeats = {
        name: num_batches if m.repeats is None else m.repeats for name, m in setting.methods.items()
    }
    together = {name: (count, name if setting.folder else None) for name, count in repeats.items()}
    fits = {}
    for key in dict.fromkeys(together.values()):
        count = key[0]
        group = {name: method for name, method in setting.methods.items() if together[name] == key}
        joined = np.concatenate([np.asarray(x), *[points.x] * count])
        ensemble = train(
            setting,
            joined,
            label=f"{label} {', '.join(group)}".strip(),
            replicas=len(group) * setting.replicas,
            seed=[
                s
                for name, m in group.items()
                for s in _run_seeds(name, m, template, setting.replicas)
            ],
            beta=[m.beta for m in group.values() for _ in range(setting.replicas)],
            rho=[m.rho for m in group.values() for _ in range(setting.replicas)],
            points=points,
        )
        for position, name in enumerate(group):
            fits[name] = ensemble.select(
                range(position * setting.replicas, (position + 1) * setting.replicas)
            )
    return {name: fits[name] for name in setting.methods}


def _split(setting: Setting) -> tuple[Dataset, Dataset]:
    mask = split(setting.dataset, seed=0)
    return setting.dataset.take(mask), setting.dataset.take(~mask)


def _run_seeds(name: str, method: Method, template: int, replicas: int) -> list[int]:
    key = [template, *name.encode()]
    seeds = [int(np.random.SeedSequence([*key, m]).generate_state(1)[0]) for m in range(replicas)]
    return seeds[:1] * replicas if method.same_seed else seeds


def reproducibility(setting: Setting, *, template: int = 0) -> Study:
    """Section 3.1: train a template, distil it, retrain M times on the same data with every method.

    Measured on the Rosetta points ("R1") and on held-out data ("rest").

    Args:
        setting: data, model, methods.
        template: seed of the template and of everything that follows from it.
    """
    training, validation = _split(setting)
    target = train(setting, training.x, seed=template, label=f"template {template}")
    points = distil(setting, target, training)
    label = f"reproducibility {template} R{setting.num_points}"
    fits = train_methods(setting, training.x, points, template=template, label=label)
    parts = {
        part: (x, target.encode(x)[0].numpy())
        for part, x in (("R1", points.x), ("rest", validation.x))
    }
    rows = []
    for name, runs in fits.items():
        for part, (x, reference) in parts.items():
            means = runs.encode(x).numpy()
            rows += variability_rows(means, method=name, part=part)
            rows += distance_rows(means, reference, runs.seeds, method=name, part=part)
        rows += quality_rows(runs, validation.x, part="rest", method=name)
    return Study(
        _table("reproducibility", setting, template, rows), target, points, fits, validation
    )


def sequential(setting: Setting, *, template: int = 0, points_from: str = "first") -> Study:
    """Section 3.2: Alice trains on D1 and sends Rosetta points; Bob trains on them and D2; the target saw both.

    Measured on held-out data of D1 and D2, with one linear map for both (Eq. 2), against the joint model.

    Args:
        setting: data, model, methods.
        template: seed of the joint model, of Alice's and of everything that follows.
        points_from: "first", the paper's: points from Alice's model; "joint": from the target itself, which shows what
            the first laboratory's ignorance of D2 costs.
    """
    if points_from not in ("first", "joint"):
        raise ValueError(f"points_from must be 'first' or 'joint', not {points_from!r}")
    training, validation = _split(setting)
    d1, d2 = training.take(training.part == 1), training.take(training.part == 2)
    target = train(setting, training.x, seed=template, label=f"joint {template}")
    first = train(setting, d1.x, seed=template, label=f"first laboratory {template}")
    points = distil(setting, first if points_from == "first" else target, d1)
    label = f"sequential {template} R{setting.num_points} {'' if points_from == 'first' else points_from}".strip()
    second = (
        setting if setting.second_model is None else setting._replace(model=setting.second_model)
    )
    fits = train_methods(second, d2.x, points, template=template, label=label)
    reference = target.encode(validation.x)[0].numpy()
    alice = first.encode(validation.x)[0].numpy()
    rows = []
    for name, runs in fits.items():
        means = runs.encode(validation.x).numpy()
        anchors = runs.encode(points.x).numpy()
        for m, seed in enumerate(runs.seeds):
            one = portability_rows(means[m], reference, validation)
            one += anchored_rows(means[m], anchors[m], alice, points, validation)
            rows += [dict(row, method=name, seed=seed) for row in one]
        for part in (1, 2):
            here = validation.part == part
            rows += variability_rows(means[:, here], method=name, part=f"D{part}")
        rows += quality_rows(runs, validation.x[validation.part == 2], part="D2", method=name)
    table = _table("sequential", setting, template, rows, points_from=points_from)
    return Study(table, target, points, fits, validation, first)


def distil(setting: Setting, model: Fit, dataset: Dataset) -> RosettaPoints:
    """Select the setting's Rosetta points from a trained model (one replica) and its training data."""
    header = dict(
        source=dataset.info["title"],
        licence=dataset.info["licence"],
        likelihood=setting.model.likelihood,
    )
    if "preprocessing" in dataset.info:
        header["preprocessing"] = dataset.info["preprocessing"]
    return select_points(
        dataset.x,
        model.encode(dataset.x)[0],
        setting.num_points,
        method=setting.selection,
        ids=dataset.ids,
        header=header | dict(beta=float(model.beta[0])),
    )


def select_beta_rho(
    setting: Setting,
    points: RosettaPoints,
    *,
    betas: Sequence[float] = tuple(np.arange(0, 25.1, 2.5)),
    rhos: Sequence[float] = tuple(np.arange(0, 15.1, 0.75)),
    tolerance: float = 0.02,
    template: int = 0,
):
    """Choose beta and rho on validation data after the setting's epochs (Appendix B: 20, these grids).

    Each candidate trains the setting's number of replicas, from the same seeds for all candidates.

    Returns:
        beta, rho and a table with a row per candidate: parameter, value, median validation -ELBO in nats.

    Differs from the paper, which does not print its criterion: beta is the positive one with the lowest validation
    -ELBO, taken at beta = 1; rho the largest whose -ELBO is within `tolerance` of the best, since the -ELBO alone
    would always choose rho = 0.
    """
    import pandas as pd

    training, validation = _split(setting)
    x = np.concatenate([training.x, points.x])
    candidates = [("beta", beta, beta, 0.0) for beta in betas] + [
        ("rho", rho, 1.0, rho) for rho in rhos
    ]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # some candidates are too weak to reach the points
        ensemble = train(
            setting,
            x,
            label="beta and rho",
            replicas=len(candidates) * setting.replicas,
            seed=_run_seeds("VAE", Method(), template, setting.replicas) * len(candidates),
            beta=[beta for _, _, beta, _ in candidates for _ in range(setting.replicas)],
            rho=[rho for _, _, _, rho in candidates for _ in range(setting.replicas)],
            points=points,
        )
    losses = ensemble.evaluate(validation.x).loss().reshape(len(candidates), setting.replicas)
    table = pd.DataFrame(
        [candidate[:2] for candidate in candidates], columns=["parameter", "value"]
    )
    table["negative_elbo"] = np.median(losses, axis=1)
    over_beta = table[(table.parameter == "beta") & (table.value > 0)]
    over_rho = table[table.parameter == "rho"]
    best = over_rho.negative_elbo.min()
    within = over_rho[over_rho.negative_elbo <= best + tolerance * abs(best)]
    return (
        float(over_beta.loc[over_beta.negative_elbo.idxmin(), "value"]),
        float(within.value.max()),
        table,
    )


def _table(recipe: str, setting: Setting, template: int, rows: list[dict], **extra):
    import pandas as pd

    table = pd.DataFrame(rows)
    methods = setting.methods
    table.insert(0, "recipe", recipe)
    table.insert(1, "data", setting.dataset.info["title"])
    table["beta"] = table.method.map(lambda name: methods[name].beta)
    table["rho"] = table.method.map(lambda name: methods[name].rho)
    table["num_points"], table["template"] = setting.num_points, template
    scale = dict(
        replicas=setting.replicas,
        epochs=setting.epochs,
        num_data=len(setting.dataset.x),
        batch_size=setting.batch_size,
        selection=setting.selection,
        device="cuda" if torch.cuda.is_available() else "cpu",
        torch=torch.__version__.split("+")[0],
    )
    for column, value in {**extra, **scale}.items():
        table[column] = value
    table["seed"] = table.seed.astype("Int64")
    keys = [
        "recipe",
        "data",
        "method",
        "beta",
        "rho",
        "num_points",
        "template",
        "seed",
        "part",
        "metric",
        "value",
    ]
    return table[keys + [column for column in table if column not in keys]]
