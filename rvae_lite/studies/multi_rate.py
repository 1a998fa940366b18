"""One multi-rate training against ten annealed ones, on binary MNIST and Omniglot."""

from itertools import product

from rvae_lite.reporting import figures
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.over_beta import ANNEALED, MR, PAPER, WITH_PAPER_GATES, over_beta, rate_setup
from rvae_lite.studies.over_beta_tables import CASE, LONG
from rvae_lite.studies.setup import MR_VAE
from rvae_lite.studies.study import Study

METHODS = WITH_PAPER_GATES
LONGER = {LONG: MR_VAE._replace(longer=2)}
LONGER |= {f"{name}, twice as long": each._replace(longer=2) for name, each in ANNEALED.items()}
SHORT = dict(batch_size=32, learning_rate=3e-3)
SMALL = dict(SHORT, width=1 / 16, num_train=1000, num_test=500, epochs=4, replicas=1)
# Batches smaller and a learning rate higher than the paper's: 3,140 steps in place of its 78,200.
MIDDLE = dict(SHORT, num_train=5000, num_test=1000, num_images=500)
EPOCHS = dict(binary_mnist=20, omniglot=10)
WIDTHS = dict(cnn=1 / 8, resnet=1 / 4)
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
    """Data sets, networks and methods; longer trainings at the middle scale only."""
    methods = METHODS | LONGER if profile.name == "cpu" else METHODS
    return product(("binary_mnist", "omniglot"), ("cnn", "resnet"), methods)


@study.unit
def unit(profile, data, network, method, keep):
    """One method's rate-distortion curves on one data set with one network."""
    options = dict(profile.setup, keep=keep and keep / f"{data}-{network}", progress=True)
    if profile.name == "cpu":
        options.update(width=WIDTHS[network], epochs=EPOCHS[data])
        options.update(replicas=1 if method in LONGER else 3)
    options.update(methods={method: (METHODS | LONGER)[method]})
    return over_beta(rate_setup(data, network=network, **options))


@study.table
def table(own, published):
    """The lowest test -ELBO over beta beside the paper's."""
    shown = own[own.method.isin([*METHODS])]
    return over_beta_tables.curves_against_paper(shown, published, named={PAPER: "MR-VAE"})


def ends(own):
    """Figure 6 with the paper's gates, medians over seeds: see `over_beta_tables.ends`."""
    return over_beta_tables.ends(own, PAPER, "beta-VAE")


@study.figure
def figure(own, axes=None):
    """Figure 5 as a difference to separate trainings at equal rate."""
    cases = own.groupby(CASE, sort=False)
    axes = figures.figure_row(len(cases))[1] if axes is None else axes
    for ax, (name, part) in zip(axes, cases, strict=True):
        over_beta_tables.plot_gaps(part, (PAPER, MR), ax=ax)
        ax.set_title(", ".join(name))
        if ax is not axes[0]:
            ax.get_legend().remove()
    return axes
