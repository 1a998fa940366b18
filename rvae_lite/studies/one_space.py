"""One latent space at every rate: multi-rate models held by Rosetta points.

Not in either paper.  A template is trained over the whole range of beta and distilled; runs of
their own seeds are then trained without its points, with plain points of one beta, and with its
curves z_r(beta).  The linear model is held to its exact curves.
A table has one row per (data, method, beta, seed, metric); `seed` is empty where the value belongs
to all runs.  Nats; the loss is distortion + beta * rate.
"""

import math

import numpy as np
from torch import nn

from rvae_lite.data import Dataset, load
from rvae_lite.fitted import Fit
from rvae_lite.reporting import figures, tables
from rvae_lite.studies.linear import TARGETS, anchored_gaps
from rvae_lite.studies.measure import distance_rows, run_rows, variability_rows
from rvae_lite.studies.protocols import distil, halves
from rvae_lite.studies.setup import BETAS, PAPER_GATES, Method, Result, Setup, run_seeds, tidy
from rvae_lite.studies.song_setup import WHOLE, song_setup
from rvae_lite.studies.space_setup import (
    EPOCHS,
    PROFILES,
    multirate_template,
    space_setup,
    train_held,
)
from rvae_lite.studies.study import Study, stamp

KEPT = ("rv", "rv_rank", "rv_relative", "within_fraction")
LINEAR = "digits, linear model"
ARMS = ("MR-VAE", "plain points", "curves")
study = Study(
    "one_space",
    reproduces="one latent space at every rate (new)",
    chapter="30_one_space_every_rate 30_one_space_real_data",
    minutes=dict(cpu=35),
    profiles=PROFILES,
)


def methods_over_beta(rho: float) -> dict[str, Method]:
    """No points, plain points read off at beta = 1, curves."""
    held = PAPER_GATES._replace(rho=rho)
    return {"MR-VAE": PAPER_GATES, "plain points": held._replace(at=1.0), "curves": held}


def variants_of_curves(rho: float) -> dict[str, Method]:
    """Curves of data selected at one rate; rho that falls or rises with beta."""
    held, variants = PAPER_GATES._replace(rho=rho), {}
    for beta in (0.01, 1.0, 10.0):
        variants[f"curves, selected at beta {beta:g}"] = held._replace(selected_at=(beta,))
    variants["curves, rho falls"] = held._replace(rho_power=0.5)
    variants["curves, rho rises"] = held._replace(rho_power=-0.5)
    return variants


@study.grid
def grid(profile):
    """Data sets, and the linear model with each target of its decoder."""
    linear = [f"linear-{target}" for target in TARGETS]
    return ["eight_gaussians-1", "digits", "mnist", "zebra_finch", *linear, "eight_gaussians-40"]


@study.unit
def unit(profile, name, keep):
    """Every method on one data set, or the linear model."""
    if name.startswith("linear-"):
        return held_linear(name.removeprefix("linear-"), iterations=profile.iterations)
    rho = 15.0 if name == "eight_gaussians-1" else 2.75
    methods = methods_over_beta(rho)
    if name in ("eight_gaussians-1", "digits"):
        methods |= variants_of_curves(rho)
    if name != "zebra_finch":
        return hold(space_setup(profile, name, methods=methods))
    birds = dict(WHOLE[profile.name]["setup"], epochs=EPOCHS[profile.name]["songs"], progress=False)
    birds.update(replicas=profile.replicas, methods=methods, cosine=True)
    return hold(song_setup(64, **birds))


def hold(setup: Setup, *, template: int = 0) -> Result:
    """Train a multi-rate template, distil its curves, retrain by every method, measure over beta.

    Metrics on held-out data, by beta: rv, rv_relative, within_fraction (of all runs); of each run
    the unaligned distance to the template as a share of its total variance, distortion, rate, loss,
    and cost: how much higher the loss is than the median one of the first method, as a share of
    that without its constant.

    Args:
        setup: data, a plain model, and multi-rate methods.
        template: seed of the template and of what follows.
    """
    training, validation = halves(setup)
    space, points = multirate_template(setup, training, template=template)
    fits = {}
    for name, method in setup.methods.items():
        chosen = points
        if method.selected_at is not None:
            chosen = distil(setup, space, training, selected_at=method.selected_at)
        seeds = run_seeds(template, name, replicas=setup.replicas)
        options = dict(method=method, seed=seeds, label=f"{name} {template}")
        fits[name] = train_held(setup, training.x, chosen, **options)
    measured, rhos = measure(space, fits, validation), {}
    for name, method in setup.methods.items():
        rhos[name] = method.rho
    measured["rho"] = measured.method.map(rhos)
    table = tidy(setup, measured, space, template=template)
    return Result(table, fits, space, points, validation)


def measure(space: Fit, fits: dict[str, Fit], validation: Dataset, *, betas=BETAS):
    """The metrics of `hold` at each beta: a pandas DataFrame.

    Args:
        space: the template, one replica.
        fits: method -> its runs, the one without points first.
        validation: held-out data.
        betas: where they are measured.
    """
    import pandas as pd

    rows = []
    for beta in betas:
        rows += _rows_at(beta, space, fits, validation)
    return pd.DataFrame(rows).assign(data=validation.info["title"])


def _rows_at(beta: float, space: Fit, fits: dict[str, Fit], validation: Dataset) -> list[dict]:
    reference, rows, usual = space.encode(validation.x, beta=beta)[0].numpy(), [], None
    for name, runs in fits.items():
        keys, means = dict(method=name, beta=beta), runs.encode(validation.x, beta=beta).numpy()
        rows += [row for row in variability_rows(means, **keys) if row["metric"] in KEPT]
        rows += distance_rows(means, reference, runs.seeds, **keys)
        found = runs.evaluate(validation.x, beta=beta)
        loss = found.loss(beta)
        usual = np.median(loss) if usual is None else usual
        values = dict(distortion=found.distortion, rate=found.rate, loss=loss)
        values["cost"] = (loss - usual) / (usual - _constant(runs.model))
        rows += run_rows(values, runs.seeds, **keys)
    return rows


def _constant(model: nn.Module) -> float:
    """The part of a distortion that no training changes."""
    if model.likelihood == "bernoulli":
        return 0.0
    return 0.5 * math.prod(model.data_shape) * math.log(2 * math.pi * model.noise_variance)


def held_linear(target: str, *, iterations: int):
    """A linear multi-rate VAE of the digits held to its exact curves: its errors as tidy rows."""
    x, course = load("digits").x.reshape(-1, 64), dict(epochs=1000, learning_rate=0.1)
    found = anchored_gaps(x, latent_dim=4, iterations=iterations, target=target, **course)
    long = found.melt(["beta", "target", "rho", "device"], var_name="metric")
    scale = dict(data=LINEAR, latent_dim=4, num_points=64, num_data=len(x))
    return stamp(long.rename(columns=dict(target="method")), **scale)


def linear_errors(own):
    """The linear model's worst relative error over beta in per cent: a column per target."""
    worst = own[own["data"] == LINEAR].groupby(["metric", "method"]).value.max()
    return 100 * worst.unstack()


def typical(own, *metrics: str):
    """Medians over the runs: a row per data, metric and beta, a column per method."""
    own = own[own.metric.isin(metrics or ("unaligned", "cost")) & (own["data"] != LINEAR)]
    keys = ["data", "metric", "method", "beta"]
    found = own.groupby(keys, sort=False).value.median().unstack("method")
    return found[own.method.unique()]


def ratios(own):
    """How many times further from the template plain points are than curves, over the ten betas."""
    found = typical(own, "unaligned")
    groups = (found["plain points"] / found.curves).groupby("data", sort=False)
    return groups.agg(["min", "median", "max"])


def over_betas(own):
    """Distance and extra loss with curves, over the ten betas: median, IQR and worst."""
    found = typical(own).curves.unstack("metric")
    found["cost"] *= 100
    groups = found.rename(columns=dict(unaligned="distance", cost="extra loss, %")).stack()
    groups = groups.groupby(["data", "metric"], sort=False)
    iqr = groups.quantile(0.75) - groups.quantile(0.25)
    return groups.median().to_frame("median").assign(iqr=iqr, worst=groups.max())


@study.table
def table(own, published):
    """What `over_betas` finds, as text; neither paper has this experiment."""
    import pandas as pd

    rows = []
    scale = tables.scales(own[own.method == "curves"], "replicas", "epochs")
    for (data, quantity), (median, iqr, worst) in over_betas(own).iterrows():
        row = {"data": data, "quantity, with curves": quantity, "paper": "none"}
        row["here"] = f"{median:.2g} ({iqr:.2g}), at most {worst:.2g}"
        row["scale"] = "{replicas} runs, {epochs} epochs".format(**scale.loc[data])
        rows.append(row | dict(verdict="new"))
    return pd.DataFrame(rows).set_index("data")


def variants(own):
    """Distance and extra loss of all variants of curves at the ends of the range, per cent."""
    chosen = own[own.method.str.startswith("curves, ")]["data"].unique()
    found = typical(own[own["data"].isin(chosen) & own.method.str.startswith("curves")])
    betas = found.index.unique("beta")
    ends = 100 * found.stack().unstack(["metric", "beta"])
    return ends.loc[:, [end for end in ends if end[1] in (betas.min(), betas.max())]]


@study.figure
def figure(own, axes=None, *, metric, label, log=False, legend=True):
    """One metric over beta, a panel per data set, a line per method; costs in per cent."""
    found = typical(own[own.method.isin(ARMS)], metric).droplevel("metric")
    found *= 100 if metric == "cost" else 1
    titles = found.index.unique("data")
    axes = figures.figure_row(len(titles), height=2.3)[1] if axes is None else axes
    for ax, title in zip(axes, titles, strict=True):
        part = found.loc[title]
        lines = {name: (part.index, part[name]) for name in part}
        figures.plot_over_beta(lines, label=label, log=log, ax=ax)
        ax.set_title(title)
        if ax is not axes[0] or not legend:
            ax.get_legend().remove()
        if not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
    return axes
