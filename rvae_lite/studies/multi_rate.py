"""One multi-rate training against ten, and ten with annealing, on binary MNIST and Omniglot."""

from itertools import product

from rvae_lite.reporting import figures
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.over_beta import LONGER, METHODS, PLAIN, curve_of, over_beta, rate_setup
from rvae_lite.studies.setup import MR_VAE
from rvae_lite.studies.study import Study

SHORT = dict(batch_size=32, learning_rate=3e-3)
SMALL = dict(SHORT, width=1 / 16, num_train=1000, num_test=500, epochs=4, replicas=1)
# Batches smaller and a learning rate higher than the paper's: 3,140 steps in place of its 78,200.
MIDDLE = dict(SHORT, num_train=5000, num_test=1000, num_images=500)
MIDDLE_WIDTHS = dict(cnn=1 / 8, resnet=1 / 4)
OMNIGLOT = dict(epochs=10, methods={"MR-VAE": MR_VAE, **PLAIN, **LONGER})  # no annealing there
LONG = "MR-VAE, 4 times as long"
CASE = ["data", "network"]
study = Study(
    "multi_rate",
    reproduces="Figures 5 to 7, binary images, in small",
    chapter="23_multi_rate 24_images_samples",
    minutes=dict(cpu=180),
    profiles=dict(
        quick=dict(setup=dict(SMALL, num_images=100)),
        cpu=dict(setup=dict(MIDDLE, epochs=20, methods=METHODS | LONGER)),
        paper=dict(setup=dict(epochs=200, num_images=5000)),
    ),
)


study.grid(lambda profile: product(("binary_mnist", "omniglot"), ("cnn", "resnet")))


@study.unit
def unit(profile, data, network, keep):
    """Every method's rate-distortion curves on one data set with one network."""
    options = dict(profile.setup, keep=keep and keep / f"{data}-{network}", progress=True)
    if profile.name == "cpu":
        options["width"] = MIDDLE_WIDTHS[network]
        options.update(OMNIGLOT if data == "omniglot" else {})
    return over_beta(rate_setup(data, network=network, **options))


@study.table
def table(own, published):
    """The lowest test -ELBO over beta beside the paper's."""
    return over_beta_tables.curves_against_paper(own, published, named={LONG: "MR-VAE"})


def spreads(own):
    """Area and dominance of the multi-rate curves: median, least and most over seeds, as text."""
    pairs = own[own.metric.isin(["area", "dominance"])]
    groups = pairs.groupby(["method", *CASE, "against", "metric"], sort=False).value
    return groups.agg(_spread).unstack()


def _spread(values) -> str:
    return f"{values.median():.2f} ({values.min():.2f} to {values.max():.2f})"


def dominances(own):
    """The median share of common rates at which a method's curve lies below: a row a comparison."""
    pairs = own[own.metric == "dominance"]
    return pairs.groupby(["method", *CASE, "against"]).value.median()


def lowest(own):
    """The lowest -ELBO over beta, medians over seeds: a row per data and network."""
    best = over_beta_tables.best_negative_elbos(own).groupby(["method", *CASE]).value.median()
    return best.unstack("method")


def costs(own):
    """Seconds and parameters: a row per data and network and ratio, the ratios as columns."""
    whole = own[own.beta.isna() & own.metric.isin(["seconds", "parameters"])]
    wide = whole.pivot_table(index=[*CASE, "metric"], columns="method", values="value")
    seconds, parameters = (wide.xs(name, level="metric") for name in ("seconds", "parameters"))
    ratios = {
        "seconds, gated over plain": 10 * seconds["MR-VAE"] / seconds["beta-VAE"],
        "parameters, gated over plain": parameters["MR-VAE"] / parameters["beta-VAE"],
        "seconds, four times as long over ten": seconds[LONG] / seconds["beta-VAE"],
    }
    return seconds[[]].assign(**ratios)


def at_end(own, metric: str, method: str, end: str):
    """A metric at the lowest ("min") or highest ("max") beta: a number per data and network."""
    rows = own[(own.metric == metric) & (own.method == method)]
    last = rows.beta.min() if end == "min" else rows.beta.max()
    rows = rows[(rows.beta / last).between(1 - 1e-5, 1 + 1e-5)]
    return rows.groupby(CASE, sort=False).value.median()


@study.figure
def figure(own, axes=None, *, metric=None, label=""):
    """Figure 5, or a metric over beta (Figure 6), medians over seeds: a panel a case."""
    cases = own.groupby(CASE, sort=False)
    axes = figures.figure_row(len(cases))[1] if axes is None else axes
    for ax, (name, part) in zip(axes, cases, strict=True):
        found = {method: curve_of(part, method) for method in part.method.unique()}
        if metric is None:
            figures.plot_rate_distortion(found, lines=["MR-VAE", LONG], ax=ax)
        else:
            found = {method: curve.dropna(subset=metric) for method, curve in found.items()}
            lines = {method: (curve.beta, curve[metric]) for method, curve in found.items()}
            figures.plot_over_beta(lines, label=label or metric, ax=ax)
        ax.set_title(", ".join(name))
        if ax is not axes[0]:
            ax.get_legend().remove()
    return axes
