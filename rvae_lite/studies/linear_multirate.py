"""How near one linear multi-rate training comes to the exact optimum at every beta."""

from rvae_lite.data import load
from rvae_lite.reporting import figures, tables
from rvae_lite.studies.linear import linear_gaps
from rvae_lite.studies.study import Study, stamp

DIGITS = dict(epochs=6000, iterations=2000)
MNIST = dict(epochs=200, iterations=2000, batch_size=128, learning_rate=1e-3)
WHOLE = dict(cells={("digits", 16): DIGITS, ("digits", 32): DIGITS, ("mnist", 32): MNIST})
study = Study(
    "linear_multirate",
    reproduces="the linear VAE, Theorem 1, Figure 4",
    chapter="21_linear_vae 22_theorem_one 23_multi_rate",
    minutes=dict(cpu=6),
    profiles=dict(
        quick=dict(cells={("digits", 16): dict(epochs=600, iterations=100)}),
        cpu=WHOLE,
        paper=WHOLE,  # the paper's own epochs take a CPU six minutes
    ),
)
study.grid(lambda profile: profile.cells)  # data sets and numbers of latents


@study.unit
def unit(profile, data, K, keep):
    """The gap by sampled and by exact training with K latents."""
    dataset, course = load(data), profile.cells[data, K]
    x = dataset.x.reshape(len(dataset.x), -1) / (255.0 if dataset.x.dtype == "uint8" else 1.0)
    scale = dict(course, data=dataset.info["title"], num_data=len(x), latent_dim=K)
    return stamp(linear_gaps(x, latent_dim=K, **course), **scale)


def gaps(own):
    """The gap of each training over all data and betas, shares of the loss: median and worst."""
    return own.groupby("training").gap.agg(["median", "max"])


@study.table
def table(own, published):
    """The gap in per cent over the betas, typical and worst; the paper has a figure only."""
    percent = own.assign(gap=100 * own.gap).groupby(["data", "latent_dim", "training"]).gap
    return percent.agg(["median", "max"]).round(2).rename(columns="{}, per cent".format)


def against_paper(own, *, most: float = 0.01):
    """Figure 4: does one sampled training follow the optimum at every beta?  The bound is ours."""
    rows = {}
    for (data, K), part in own[own.training == "sampled"].groupby(["data", "latent_dim"]):
        worst = part.gap.max()
        rows[f"{data}, K = {K}"] = ("Figure 4: aligned", f"{100 * worst:.2f} %", worst < most)
    return tables.statements(rows, columns=["paper", "here: largest gap"], name="data")


@study.figure
def figure(own, ax=None):
    """The gap over beta, a line for each data set and training."""
    lines = {}
    for (data, K, training), rows in own.groupby(["data", "latent_dim", "training"], sort=False):
        lines[f"{data}, K = {K}, {training}"] = (rows.beta, 100 * rows.gap)
    return figures.plot_over_beta(lines, label="gap to the optimum in per cent", log=True, ax=ax)
