"""One multi-rate training against ten annealed ones, as long as the paper's and on all its images.

Fully connected layers make that cheap: 78,200 steps on binary MNIST take minutes a training.
"""

from itertools import product

from rvae_lite.laws import LogArcsine
from rvae_lite.reporting import figures
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.over_beta import ANNEALED, MR, MULTI_RATE, PAPER, over_beta, rate_setup
from rvae_lite.studies.over_beta_tables import BOTH_ENDS
from rvae_lite.studies.setup import MR_VAE
from rvae_lite.studies.study import Study

MULTI = MULTI_RATE | {BOTH_ENDS: MR_VAE._replace(law=LogArcsine)}
METHODS = MULTI | ANNEALED
SETS = ("binary_mnist", "omniglot")
SMALL = dict(num_train=500, num_test=200, width=1 / 4, batch_size=32, epochs=4, replicas=1)
WHOLE = dict(batch_size=128, epochs=200)  # the paper's
study = Study(
    "full_length",
    reproduces="Figure 5, binary images, at the paper's length",
    chapter="23_multi_rate",
    minutes=dict(cpu=195),
    profiles=dict(
        quick=dict(setup=SMALL),
        cpu=dict(setup=dict(WHOLE, replicas=1)),
        paper=dict(setup=dict(WHOLE, replicas=3)),
    ),
)
study.grid(lambda profile: product(SETS, METHODS))


@study.unit
def unit(profile, data, method, keep):
    """One method's rate-distortion curves on one data set."""
    options = dict(profile.setup, keep=keep and keep / data, progress=True)
    methods = {method: METHODS[method]}
    return over_beta(rate_setup(data, network="mlp", methods=methods, **options))


def statements(own):
    """What the paper claims of one training, against ten annealed ones: a row per comparison."""
    found = over_beta_tables.excesses(own, (MR, PAPER))
    held = (found.elbo <= found.theirs).to_frame("lowest −ELBO as low as ten trainings'")
    return held.assign(**{"lower curve at half of the rates": found.dominance >= 0.5})


@study.table
def table(own, published):
    """Excess loss, lowest -ELBO, area and dominance, of which the paper has no numbers."""
    return over_beta_tables.excess_table(own, tuple(MULTI))


@study.figure
def figure(own, axes=None):
    """Excess loss over beta, a panel for each data set."""
    cases = own.groupby("data", sort=False)
    axes = figures.figure_row(len(cases), width=3.6)[1] if axes is None else axes
    for ax, (name, part) in zip(axes, cases, strict=True):
        over_beta_tables.plot_excess(part, tuple(MULTI), ax=ax)
        ax.set_title(name)
    return axes
