"""Gates, annealing, the law and the range of beta, one change at a time."""

import numpy as np

from rvae_lite.laws import LogArcsine, LogPower
from rvae_lite.reporting import figures, tables
from rvae_lite.studies.over_beta import ANNEALED, PLAIN, curve_of, over_beta, rate_setup
from rvae_lite.studies.setup import MR_VAE, PAPER_GATES
from rvae_lite.studies.study import Study


def gated(**options):
    """The default method with other options of `make_multirate`."""
    return MR_VAE._replace(gates=options)


LATENTS = {
    "affine latents": gated(latents="film"),
    "no gates at the latents": gated(latents="none"),
    "latents alone": gated(latents="closing", layers=[]),
}
SHARE = {"not annealed": MR_VAE._replace(anneal=0.0), "as in the paper": PAPER_GATES}
GATES = {
    "sigmoid, sigmoid": gated(gate="sigmoid"),
    "sqrt, sqrt": gated(gate="sqrt"),
    "FiLM": gated(gate="film"),
}
RANGES = {
    "[0.1, 1]": gated(beta_range=(0.1, 1.0)),
    "[0.01, 1]": gated(beta_range=(0.01, 1.0)),
    "[0.001, 100]": gated(beta_range=(0.001, 100.0)),
}
DRAWING = {
    "more low betas": MR_VAE._replace(law=LogPower),
    "more at both ends": MR_VAE._replace(law=LogArcsine),
    "one beta a batch": MR_VAE._replace(per="batch"),
}
SPEED = {"slow gates": gated(gate_speed=1.0)}
VARIANTS = LATENTS | SHARE | GATES | RANGES | DRAWING | SPEED
METHODS = {"MR-VAE": MR_VAE} | VARIANTS | PLAIN | ANNEALED
SIZES = dict(network="mlp", width=0.5, latent_dim=8, batch_size=64, learning_rate=3e-3)
study = Study(
    "sensitivity",
    reproduces="Section 5.3, Appendix D",
    chapter="25_sensitivity",
    minutes=dict(cpu=10),
    profiles=dict(
        quick=dict(data="binary_digits", setup=dict(SIZES, epochs=20, replicas=2)),
        cpu=dict(data="binary_digits", setup=dict(SIZES, epochs=150, replicas=3)),
        paper=dict(data="binary_mnist", setup=dict(network="resnet", epochs=200, replicas=3)),
    ),
)
study.grid(lambda profile: [profile.data])


@study.unit
def unit(profile, data, keep):
    """Every variant's curves, beside the plain ones."""
    setup = rate_setup(data, methods=METHODS, keep=keep and keep / data, **profile.setup)
    return over_beta(setup)


def mean_losses(own, *, by=("method", "seed")):
    """Mean loss at the plain trainings' betas, nats: a row per method and seed, a column per range.

    NaN where a method's own range does not cover the column's.  By method alone it is the mean of
    the medians over seeds.
    """
    betas = np.unique(own[own.method == "beta-VAE"].beta.dropna())
    losses = own[own.metric == "loss"]
    losses = losses[np.isclose(losses.beta.to_numpy()[:, None], betas, rtol=1e-4).any(1)]
    options = dict(columns="beta", values="value", aggfunc="median", sort=False)
    wide = losses.pivot_table(index=list(by), **options)
    inside = wide[[beta for beta in wide if 0.099 < beta < 1.01]]
    whole, part = (each.mean(axis=1, skipna=False) for each in (wide, inside))
    return whole.to_frame("β in [0.01, 10]").assign(**{"β in [0.1, 1]": part})


@study.table
def table(own, published):
    """Mean loss over two ranges of beta: median, least and most over seeds, as text."""
    groups = mean_losses(own).groupby("method", sort=False)
    return groups.agg(
        lambda values: (
            f"{values.median():.2f} ({values.min():.2f} to {values.max():.2f})"
            if values.notna().all()
            else "—"
        )
    )


def against_paper(own, *, most: float = 0.05):
    """What the paper says of gates and ranges: it holds where the mean loss rises by less.

    Args:
        own: the study's table.
        most: the share of the loss that counts as no change; the threshold is ours.
    """
    losses = mean_losses(own, by=["method"])
    rise = losses / losses.loc["MR-VAE"] - 1
    whole, inside = (rise[name] for name in rise)
    said = {
        "sigmoid or sqrt: no significant change": (
            "Appendix D",
            whole[["sigmoid, sigmoid", "sqrt, sqrt"]].abs().max(),
        ),
        "robust to narrower ranges": ("Section 5.3", inside[["[0.1, 1]", "[0.01, 1]"]].max()),
        "robust to a wider range": ("Section 5.3", inside["[0.001, 100]"]),
    }
    rows = {n: (where, f"{100 * value:.1f} %", value < most) for n, (where, value) in said.items()}
    return tables.statements(rows, columns=["paper", "here: change of the loss"])


@study.figure
def figure(own, axes=None, *, names=tuple(GATES)):
    """Some variants beside the default: rate and distortion, and the loss over beta."""
    axes = figures.figure_row(2, width=3.6)[1] if axes is None else axes
    lines = ["MR-VAE", *names]
    found = {name: curve_of(own, name) for name in (*lines, "beta-VAE, annealed")}
    figures.plot_rate_distortion(found, lines=lines, ax=axes[0])
    losses = {name: (curve.beta, curve.loss) for name, curve in found.items()}
    label = "distortion + beta · rate,\nnats (lower is better)"
    figures.plot_over_beta(losses, label=label, lines=lines, ax=axes[1])
    return axes
