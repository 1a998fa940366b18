"""One multi-rate training against ten annealed ones, on binary MNIST and Omniglot."""

from itertools import product

import numpy as np

from rvae_lite.reporting import figures
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.over_beta import METHODS as EQUAL
from rvae_lite.studies.over_beta import area_and_dominance, curve_of, over_beta, rate_setup
from rvae_lite.studies.setup import MR_VAE, PAPER_GATES
from rvae_lite.studies.study import Study

MR, PAPER, LONG = "MR-VAE", "MR-VAE, paper's gates", "MR-VAE, twice as long"
ANNEALED, ANNEALED_LONG = "beta-VAE, annealed", "beta-VAE, annealed, twice as long"
METHODS = {MR: MR_VAE, PAPER: PAPER_GATES, **EQUAL}
LONGER = {LONG: MR_VAE._replace(longer=2), ANNEALED_LONG: EQUAL[ANNEALED]._replace(longer=2)}
RIVALS = {MR: ANNEALED, PAPER: ANNEALED, LONG: ANNEALED_LONG}  # trainings as long as each of ten
SHORT = dict(batch_size=32, learning_rate=3e-3)
SMALL = dict(SHORT, width=1 / 16, num_train=1000, num_test=500, epochs=4, replicas=1)
# Batches smaller and a learning rate higher than the paper's: 3,140 steps in place of its 78,200.
MIDDLE = dict(SHORT, num_train=5000, num_test=1000, num_images=500)
EPOCHS = dict(binary_mnist=20, omniglot=10)
WIDTHS = dict(cnn=1 / 8, resnet=1 / 4)
# Fully connected layers are cheap: the paper's data, batch and length, 78,200 steps, with one seed.
WHOLE = dict(batch_size=128, learning_rate=1e-3, width=1, num_train=None, num_test=None)
WHOLE.update(epochs=200, replicas=1, num_images=0)
CASE = ["data", "network"]
study = Study(
    "multi_rate",
    reproduces="Figures 5 to 7, binary images, in small",
    chapter="23_multi_rate 24_images_samples",
    minutes=dict(cpu=270),
    profiles=dict(
        quick=dict(setup=dict(SMALL, num_images=100)),
        cpu=dict(setup=MIDDLE),
        paper=dict(setup=dict(epochs=200, num_images=5000)),
    ),
)


@study.grid
def grid(profile):
    """Data sets, networks and methods; longer trainings and whole data at the middle scale only."""
    data, networks = ("binary_mnist", "omniglot"), ("cnn", "resnet")
    if profile.name != "cpu":
        return product(data, networks, METHODS)
    whole = [("binary_mnist", "mlp", method) for method in (MR, PAPER, ANNEALED)]
    return [*product(data, networks, METHODS | LONGER), *whole]


@study.unit
def unit(profile, data, network, method, keep):
    """One method's rate-distortion curves on one data set with one network."""
    options = dict(profile.setup, keep=keep and keep / f"{data}-{network}", progress=True)
    if network == "mlp":
        options.update(WHOLE)
    elif profile.name == "cpu":
        options.update(width=WIDTHS[network], epochs=EPOCHS[data])
        options.update(replicas=1 if method in LONGER else 3)
    options.update(methods={method: (METHODS | LONGER)[method]})
    return over_beta(rate_setup(data, network=network, **options))


@study.table
def table(own, published):
    """The lowest test -ELBO over beta beside the paper's."""
    shown = own[own.method.isin([*METHODS])]
    return over_beta_tables.curves_against_paper(shown, published, named={PAPER: "MR-VAE"})


def excess(own, method: str = MR):
    """Loss of one training above that of ten annealed ones as long, at their betas, nats.

    The columns data, network, seed, beta and excess; seeds that both have.
    """
    keys = [*CASE, "seed", "beta"]
    losses = own[(own.metric == "loss") & own.beta.notna()]
    losses = losses.assign(beta=losses.beta.map("{:.4g}".format).astype(float))
    ours, theirs = (losses[losses.method == name] for name in (method, RIVALS[method]))
    both = ours.merge(theirs, on=keys, suffixes=("", "_of_ten"))
    both = both.assign(excess=both.value - both.value_of_ten)
    return both[[*keys, "excess"]].sort_values(keys, ignore_index=True)


def excesses(own, methods=tuple(RIVALS)):
    """One training against ten annealed ones as long: medians over seeds, a row per comparison.

    Columns: seeds; mean, low and high, the excess loss on average over the betas, at the lowest and
    at the highest; elbo and theirs, the lowest -ELBO over beta; area and dominance of the curve.
    """
    import pandas as pd

    rows = []
    for method in methods:
        for case, part in excess(own, method).groupby(CASE, sort=False):
            seeds = part.groupby("seed").excess
            row = dict(zip(CASE, case, strict=True), method=method, seeds=len(seeds))
            row["mean"], row["least"], row["most"] = seeds.mean().quantile([0.5, 0, 1])
            row.update(low=seeds.first().median(), high=seeds.last().median())
            here = own[(own["data"] == case[0]) & (own.network == case[1])]
            best = over_beta_tables.best_negative_elbos(here[here.seed.isin(part.seed)])
            best = best.groupby("method").value.median()
            row.update(elbo=best[method], theirs=best[RIVALS[method]])
            row.update(_of_curves(here, method, part.seed.unique()))
            rows.append(row)
    return pd.DataFrame(rows).set_index(["method", *CASE])


def _of_curves(here, method: str, seeds) -> dict[str, float]:
    """Area (nats squared) and dominance against the ten, medians over seeds."""
    found = []
    for seed in seeds:
        curves = (curve_of(here, name, seed=seed) for name in (method, RIVALS[method]))
        found.append(area_and_dominance(*curves))
    return {name: np.median([each[name] for each in found]) for name in found[0]}


def excess_table(own, methods=tuple(RIVALS)):
    """`excesses` as text."""
    found, shown = excesses(own, methods), {}
    spread = found[["mean", "least", "most"]].to_numpy()
    shown["mean excess"] = ["{:+.1f} ({:+.1f} to {:+.1f})".format(*row) for row in spread]
    for title, name in (("at the lowest β", "low"), ("at the highest β", "high")):
        shown[title] = found[name].map("{:+.1f}".format)
    shown["best −ELBO"] = found.elbo.map("{:.1f}".format)
    shown["of ten"] = found.theirs.map("{:.1f}".format)
    shown["area"], shown["dominance"] = found.area.round().astype(int), found.dominance.round(2)
    return found[["seeds"]].assign(**shown)


def at_end(own, metric: str, method: str, end: str):
    """A metric at the lowest ("min") or highest ("max") beta: a number per data and network."""
    rows = own[(own.metric == metric) & (own.method == method)]
    last = rows.beta.min() if end == "min" else rows.beta.max()
    rows = rows[(rows.beta / last).between(1 - 1e-5, 1 + 1e-5)]
    return rows.groupby(CASE, sort=False).value.median()


def ends(own, method: str = PAPER, rival: str = "beta-VAE"):
    """Figure 6 as statements on medians over seeds, with the paper's gates: a row per case."""
    units, samples = (
        [at_end(own, metric, name, end) for name in (method, rival)]
        for metric, end in (("active_units", "max"), ("frechet_samples", "min"))
    )
    held = (units[0] > units[1]).to_frame("more active units at high β")
    return held.assign(**{"better samples at low β": samples[0] < samples[1]})


@study.figure
def figure(own, axes=None, *, metric=None, label=""):
    """Figure 5 as a difference in nats with a band over seeds, or a metric over beta (Figure 6)."""
    cases = own.groupby(CASE, sort=False)
    axes = figures.figure_row(len(cases))[1] if axes is None else axes
    for ax, (name, part) in zip(axes, cases, strict=True):
        if metric is None:
            _plot_excess(part, ax)
        else:
            found = {method: curve_of(part, method) for method in METHODS}
            found = {method: curve.dropna(subset=metric) for method, curve in found.items()}
            lines = {method: (curve.beta, curve[metric]) for method, curve in found.items()}
            figures.plot_over_beta(lines, label=label or metric, ax=ax)
        ax.set_title(", ".join(name))
        if ax is not axes[0]:
            ax.get_legend().remove()
    return axes


def _plot_excess(part, ax) -> None:
    """Excess loss over beta: the median, and a band from the least to the most over seeds."""
    for method in (PAPER, MR, LONG):
        groups = excess(part, method).groupby("beta").excess
        least, middle, most = (groups.quantile(share) for share in (0, 0.5, 1))
        colour = figures.colour_of(method)
        ax.plot(middle.index, middle, color=colour, label=method)
        ax.fill_between(middle.index, least, most, color=colour, alpha=0.25, lw=0)
    ax.axhline(0, color="grey", lw=1)
    ax.set(xscale="log", xlabel="beta", ylabel="loss above ten trainings', nats")
    ax.legend(fontsize=7)
