"""One multi-rate training against seven annealed ones, on colour images.

The distortion is the paper's sum of squared errors of pixels in [0, 1], but for a constant: a
Gaussian of variance 1/2, so that beta stands for a variance of beta / 2.  Nats per image.
Frechet distances are by features that a unit learns anew, the same for one data set and seed.
Letters: K latent dimension, T values of beta.
"""

from itertools import product

import numpy as np
import torch

from rvae_lite.fitted import Fit
from rvae_lite.multirate import is_multirate
from rvae_lite.reporting import figures
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.over_beta import ANNEALED, MULTI_RATE, PAPER, curve_of, over_beta, plain_fits
from rvae_lite.studies.over_beta import rate_setup as setup_of
from rvae_lite.studies.setup import BETAS, Setup
from rvae_lite.studies.study import Study

METHODS = MULTI_RATE | ANNEALED
SEVEN = tuple(np.geomspace(0.01, 10, 7))
PARTS = dict(cifar10_part=dict(latent_dim=64), svhn_part=dict(latent_dim=32))
PARTS["procedural_colour"] = dict(latent_dim=16, loading=dict(num_images=6250))
WHOLE = dict(cifar10=dict(latent_dim=256, loading=dict(allow_unverified=True)))
WHOLE["svhn"] = dict(latent_dim=32)
SMALL = dict(width=1 / 4, num_train=4500, num_test=1000, num_images=500, betas=SEVEN)
SMALL.update(batch_size=32, learning_rate=3e-3, epochs=16)  # about 140 steps an epoch on each set
TINY = dict(SMALL, width=1 / 16, num_train=160, num_test=48, epochs=4, betas=SEVEN[::2])
LONG = dict(epochs=200, betas=BETAS, num_images=5000)
study = Study(
    "colour",
    reproduces="Figures 5 to 7, colour images, in small",
    chapter="29_colour",
    minutes=dict(cpu=80),
    profiles=dict(
        quick=dict(sets=dict(procedural_colour=dict(latent_dim=8)), seeds=1, setup=TINY),
        cpu=dict(sets=PARTS, seeds=2, setup=SMALL),
        paper=dict(sets=WHOLE, seeds=3, setup=LONG),
    ),
)
study.grid(lambda profile: product(profile.sets, METHODS, range(profile.seeds)))


@study.unit
def unit(profile, data, method, seed, keep):
    """One method's rate-distortion curve on one data set with one seed."""
    return over_beta(colour_setup(profile, data, method, keep=keep), seeds=[seed])


def colour_setup(profile, data: str, method: str, *, keep=None) -> Setup:
    """The setup of a unit; with its `keep`, `over_beta.train_curve` reads what the unit trained."""
    options = dict(profile.setup, **profile.sets[data], methods={method: METHODS[method]})
    options.update(replicas=profile.seeds, keep=keep and keep / data, progress=True)
    return setup_of(data, **options)


@study.table
def table(own, published):
    """Excess loss and curves against annealed trainings, medians over seeds.

    The paper shows curves without numbers: a dominance of a half or more agrees with them, in
    every seed.
    """
    shown = over_beta_tables.excess_table(own, tuple(MULTI_RATE), of="separate")
    verdict = over_beta_tables.excesses(own, tuple(MULTI_RATE)).verdict
    return shown.assign(paper="competitive, no number", verdict=verdict)


def ends(own):
    """Figure 6 with the paper's gates, each set and seed: see `over_beta_tables.ends`."""
    rival, by = "beta-VAE, annealed", ("data", "seed")
    return over_beta_tables.ends(own, PAPER, rival, by=by)


@study.figure
def figure(own, axes=None):
    """Figure 5 for each set: curves, and below them the excess of one training in nats."""
    cases = own.groupby("data", sort=False)
    axes = figures.figure_row(2 * len(cases))[1] if axes is None else axes
    for place, (name, part) in enumerate(cases):
        above, below = axes[place :: len(cases)]
        curves = {method: curve_of(part, method) for method in METHODS}
        figures.plot_rate_distortion(curves, ax=above)
        over_beta_tables.plot_excess(part, MULTI_RATE, of="separate", ax=below)
        above.set_title(name.replace(" (", "\n("), fontsize=8)
        for ax in (above, below) if place else (below,):
            ax.get_legend().remove()
    return axes


def draw_over_beta(trained: Fit, betas, *, num: int, seed: int = 1):
    """The same latents of the prior decoded at every beta: images (num, T, *data) in 0 to 1."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn((num, trained.model.latent_dim), generator=random)
    pieces = plain_fits(trained, betas if is_multirate(trained.model) else None)
    return torch.stack([piece.decode(z)[0] for piece in pieces], dim=1).clamp(0, 1)


def plot_samples(fits: dict[str, Fit], betas, *, num: int = 5, seed: int = 1):
    """Figure 7: latents of the prior decoded at every beta (T,), a row per method and latent.

    fits: method -> one multi-rate replica, or plain ones, one for each beta.
    """
    rows = [f"{name}, z{i + 1}" for name in fits for i in range(num)]
    drawn = [draw_over_beta(each, betas, num=num, seed=seed) for each in fits.values()]
    images = torch.cat(drawn).flatten(0, 1)
    return figures.plot_images(images, columns=len(betas), size=0.8, rows=rows)
