"""One latent space at every rate: multi-rate models held by Rosetta points, as a tidy table.

Not in either paper.  A template is trained over the whole range of beta and distilled; runs of their own seeds are then
trained without its points, with plain points of one beta, and with its curves z_r(beta).
A table has one row per (data, method, beta, seed, metric); `seed` is empty where the value belongs to all runs.
Nats, summed over dimensions and averaged over data; the loss is distortion + beta * rate.
Letters: M replicas, N data points, K latent dimension, R Rosetta points, T values of beta.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from rvae_lite import alignment
from rvae_lite.anchors import curve_points
from rvae_lite.data import Dataset, split
from rvae_lite.fitted import Fit
from rvae_lite.multirate import BETA_RANGE, LogUniform, make_multirate
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.measure import distance_rows, run_rows, variability_rows
from rvae_lite.studies.protocols import Setting, train

BETAS = tuple(np.geomspace(*BETA_RANGE, 10))
COURSE = dict(schedule="cosine")
KEPT = ("rv", "rv_rank", "rv_relative", "within_fraction")
KEYS = ["data", "method", "beta", "rho", "seed", "metric", "value"]


class Held(NamedTuple):
    """How the runs of one method are held.

    rho: weight of the Rosetta points, 0 for none.
    at: the one beta whose latents stand for all; None for curves.
    rho_power: how their weight falls with beta, see `fit`.
    selected_at: the betas whose latents are clustered to select them, see `curve_points`.
    """

    rho: float = 0.0
    at: float | None = None
    rho_power: float = 0.0
    selected_at: tuple[float, ...] | None = None


def methods_over_beta(rho: float) -> dict[str, Held]:
    """No points, plain points read off at beta = 1, curves."""
    return {"MR-VAE": Held(), "plain points": Held(rho, at=1.0), "curves": Held(rho)}


def variants_of_curves(rho: float) -> dict[str, Held]:
    """Curves of data selected at one rate, or at random; rho that falls or rises with beta."""
    return {
        "curves, selected at beta 0.01": Held(rho, selected_at=(0.01,)),
        "curves, selected at beta 1": Held(rho, selected_at=(1.0,)),
        "curves, selected at beta 10": Held(rho, selected_at=(10.0,)),
        "curves, rho falls": Held(rho, rho_power=0.5),
        "curves, rho rises": Held(rho, rho_power=-0.5),
    }


class SpaceStudy(NamedTuple):
    """What `space_study` returns: table, template (one replica), points, method -> its M replicas, held-out data."""

    table: object
    template: Fit
    points: RosettaPoints
    fits: dict[str, Fit]
    validation: Dataset


def space_study(setting: Setting, *, template: int = 0) -> SpaceStudy:
    """Train a multi-rate template, distil its curves, retrain M times with every method, measure at every beta.

    Metrics on held-out data, by beta: rv, rv_relative, within_fraction (of all runs); of each run the unaligned
    distance to the template as a share of its total variance, distortion, rate, loss, and cost: how much higher the
    loss is than the median one of "MR-VAE", as a share of that without its constant.

    Args:
        setting: data, a plain model, and methods name -> `Held`.
        template: seed of the template and of what follows.
    """
    training, validation, gated = halves(setting)
    law = LogUniform(*gated.model.beta_range)
    space = train(
        gated, training.x, seed=template, label=f"template {template}", beta=law, **COURSE
    )
    points = distil_curves(setting, space, training)
    fits = {}
    for position, (name, held) in enumerate(setting.methods.items()):
        chosen = (
            points
            if held.selected_at is None
            else distil_curves(setting, space, training, held.selected_at)
        )
        joined = np.concatenate([np.asarray(training.x), chosen.x])
        options = dict(rho=held.rho, rho_power=held.rho_power, beta=law, **COURSE)
        options["points"] = chosen if held.at is None else chosen.at_beta(held.at)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", RuntimeWarning
            )  # short trainings do not reach every point
            seeds = dict(replicas=setting.replicas, seed=10 * (template + 1) + position)
            fits[name] = train(gated, joined, label=f"{name} {template}", **seeds, **options)
    rows = [row for beta in BETAS for row in _rows_at(beta, space, fits, validation)]
    return SpaceStudy(tidy_table(setting, template, rows), space, points, fits, validation)


def distil_curves(
    setting: Setting, space: Fit, dataset: Dataset, selected_at=None
) -> RosettaPoints:
    """The setting's number of curves from a multi-rate template and its training data."""
    header = dict(
        source=dataset.info["title"],
        licence=dataset.info["licence"],
        likelihood=setting.model.likelihood,
    )
    options = dict(
        method=setting.selection, selected_at=selected_at, ids=dataset.ids, header=header
    )
    return curve_points(space, dataset.x, setting.num_points, **options)


def halves(setting: Setting) -> tuple[Dataset, Dataset, Setting]:
    """Training data, held-out data, and the setting with its model made multi-rate."""
    mask = split(setting.dataset, seed=0)
    gated = setting._replace(model=make_multirate(setting.model))
    return setting.dataset.take(mask), setting.dataset.take(~mask), gated


def _rows_at(beta: float, space: Fit, fits: dict[str, Fit], validation: Dataset) -> list[dict]:
    reference, rows, usual = space.encode(validation.x, beta=beta)[0].numpy(), [], None
    for name, runs in fits.items():
        keys = dict(method=name, beta=beta)
        means, found = (
            runs.encode(validation.x, beta=beta).numpy(),
            runs.evaluate(validation.x, beta=beta),
        )
        rows += [row for row in variability_rows(means, **keys) if row["metric"] in KEPT]
        rows += distance_rows(means, reference, runs.seeds, **keys)
        loss = found.loss(beta)
        usual = np.median(loss) if usual is None else usual
        values = dict(distortion=found.distortion, rate=found.rate, loss=loss)
        values["cost"] = (loss - usual) / (usual - _constant(runs.model))
        rows += run_rows(values, runs.seeds, **keys)
    return rows


def _constant(model: nn.Module) -> float:
    """The part of a distortion that no training changes."""
    size = math.prod(model.data_shape)
    return (
        0.0
        if model.likelihood == "bernoulli"
        else 0.5 * size * math.log(2 * math.pi * model.noise_variance)
    )


def two_networks(
    setting: Setting, second_model: nn.Module, *, rho: float, betas=(1.0, 0.1), template: int = 0
):
    """Two laboratories with different networks, each at a beta of its own, out of one file of curves.

    The first trains the setting's network at betas[0], the second another at betas[1], both plain models, once held by
    the file and once not.  The file alone says how the second space becomes the first: an affine map, fitted on
    z_r(betas[1]) -> z_r(betas[0]), for which neither laboratory shows any data.

    Args:
        setting: data, the template's and first laboratory's network, R, epochs, number of runs.
        second_model: the second laboratory's.
        rho: weight of the points where held.
        betas: of the two laboratories.
        template: seed.

    Returns:
        A tidy pandas DataFrame; by run, on held-out data and as shares of the first space's total variance: known_map,
        the distance after the file's map; anchors_map, after an affine map fitted on what both make of the R inputs;
        best_map, after the best affine map of the held-out data themselves, which no method can beat.
    """
    training, validation, gated = halves(setting)
    law = LogUniform(*gated.model.beta_range)
    space = train(
        gated, training.x, seed=template, label=f"template {template}", beta=law, **COURSE
    )
    points = distil_curves(setting, space, training)
    joined, rows = np.concatenate([np.asarray(training.x), points.x]), []
    known = alignment.linear_map(points.z_at(betas[1]), points.z_at(betas[0]))
    labs = (setting, setting._replace(model=second_model))
    for name, weight in (("unanchored", 0.0), ("one file", rho)):
        pair = []
        for number, (lab, beta) in enumerate(zip(labs, betas, strict=True)):
            options = dict(
                replicas=setting.replicas,
                seed=100 * (template + 1) + number,
                beta=beta,
                rho=weight,
                **COURSE,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                pair.append(
                    train(
                        lab, joined, label=f"{name} {number} {template}", points=points, **options
                    )
                )
        rows += [dict(row, method=name) for row in _between(pair, known, points, validation)]
    return tidy_table(
        setting._replace(methods={"one file": Held(rho), "unanchored": Held()}), template, rows
    )


def _between(
    pair: list[Fit], known: alignment.LinearMap, points: RosettaPoints, validation: Dataset
) -> list[dict]:
    first, second = (fits.encode(validation.x).numpy() for fits in pair)
    first_anchors, second_anchors = (fits.encode(points.x).numpy() for fits in pair)
    rows = []
    for m, seed in enumerate(pair[1].seeds):
        maps = dict(
            known_map=known,
            anchors_map=alignment.linear_map(second_anchors[m], first_anchors[m]),
            best_map=alignment.linear_map(second[m], first[m]),
        )
        for metric, mapping in maps.items():
            distance = alignment.mean_squared_distance(mapping(second[m]), first[m])
            rows.append(
                dict(seed=seed, metric=metric, value=distance / alignment.total_variance(first[m]))
            )
    return rows


def tidy_table(setting: Setting, template: int, rows: list[dict]):
    """Rows with the scale that they were measured at, a pandas DataFrame; rho is the method's where a row has none."""
    import pandas as pd

    rows = [dict(rho=setting.methods[row["method"]].rho) | row for row in rows]
    table = (
        pd.DataFrame(rows)
        .reindex(columns=KEYS)
        .assign(data=setting.dataset.info["title"], template=template)
    )
    table["seed"] = table.seed.astype("Int64")
    return table.assign(
        num_points=setting.num_points,
        latent_dim=setting.model.latent_dim,
        replicas=setting.replicas,
        epochs=setting.epochs,
        num_data=len(setting.dataset.x),
        batch_size=setting.batch_size,
        device="cuda" if torch.cuda.is_available() else "cpu",
        torch=torch.__version__.split("+")[0],
    )
