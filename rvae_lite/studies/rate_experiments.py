"""The multi-rate paper's experiments at the book's scales, cut into units for `experiments.run_experiment`.

Bae et al. (2023), Sections 5.1 to 5.3, Appendices C and D.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.data import load
from rvae_lite.multirate import BETA_RANGE
from rvae_lite.studies.disentanglement import disentanglement_study, sprite_setting
from rvae_lite.studies.linear_multirate import linear_study
from rvae_lite.studies.over_beta import LONGER, METHODS, PLAIN, Curve, curve_study, rate_setting


class Table(NamedTuple):
    """What a unit returns: its tidy table."""

    table: object


CURVE_SCALES = dict(
    quick=dict(
        width=1 / 16,
        num_train=1000,
        num_test=500,
        epochs=4,
        batch_size=32,
        learning_rate=3e-3,
        replicas=1,
    ),
    # Batches smaller and a learning rate higher than the paper's: 3,140 steps in place of its 78,200.
    cpu=dict(num_train=5000, num_test=1000, epochs=20, batch_size=32, learning_rate=3e-3),
    paper=dict(epochs=200),
)
CPU_WIDTHS = dict(cnn=1 / 8, resnet=1 / 4)
CPU_OMNIGLOT = dict(epochs=10, methods={"MR-VAE": Curve()} | PLAIN | LONGER)  # no annealing there
IMAGES = dict(quick=100, cpu=500, paper=5000)  # of every Frechet distance


def multi_rate(profile: str, folder: Path | None = None) -> list:
    """One training against ten, and ten with annealing, on binary MNIST and Omniglot (Figures 5 and 6)."""

    def run(name, network):
        kept = folder and folder / f"{name}-{network}"
        options = dict(CURVE_SCALES[profile], num_images=IMAGES[profile])
        if profile == "cpu":
            options |= dict(width=CPU_WIDTHS[network], methods=METHODS | LONGER)
            options |= CPU_OMNIGLOT if name == "omniglot" else {}
        return curve_study(
            rate_setting(name, network=network, folder=kept, progress=True, **options)
        )

    return [
        (f"{name}-{network}", partial(run, name, network))
        for name in ("binary_mnist", "omniglot")
        for network in ("cnn", "resnet")
    ]


VARIANTS = {
    "MR-VAE": Curve(),
    "sigmoid, sigmoid": Curve(gate="sigmoid"),
    "sqrt, sqrt": Curve(gate="sqrt"),
    "FiLM": Curve(gate="film"),
    "[0.1, 1]": Curve(beta_range=(0.1, 1.0)),
    "[0.01, 1]": Curve(beta_range=(0.01, 1.0)),
    "[0.001, 100]": Curve(beta_range=(0.001, 100.0)),
    "one beta a batch": Curve(per="batch"),
    "slow gates": Curve(gate_speed=1.0),
}


def sensitivity(profile: str, folder: Path | None = None) -> list:
    """Range of beta, kind of gate, and how beta is drawn, on binary digits (Section 5.3, Appendix D)."""

    def run(name):
        scale = dict(epochs=20, replicas=2) if profile == "quick" else dict(epochs=150, replicas=3)
        options = dict(
            network="mlp", width=0.5, latent_dim=8, batch_size=64, learning_rate=3e-3, **scale
        )
        kept = folder and folder / name
        return curve_study(
            rate_setting("binary_digits", methods=VARIANTS | PLAIN, folder=kept, **options)
        )

    return [("binary_digits", partial(run, "binary_digits"))]


LADDER_SCALES = dict(
    quick=dict(width=1 / 8, latent_dim=4, num_train=640, num_test=200, epochs=4, replicas=1),
    cpu=dict(width=1 / 4, latent_dim=4, num_train=2000, num_test=500, epochs=40),
    paper=dict(latent_dim=20, epochs=400, batch_size=256, learning_rate=1e-3),
)
SHORT_TRAINING = dict(
    batch_size=32, learning_rate=3e-3
)  # beyond the paper profile: few epochs, but many steps


def hierarchy(profile: str, folder: Path | None = None) -> list:
    """One training of a ladder against four on binary MNIST, on a GPU also with annealing (Section 5.2, Figure 5)."""

    def run(name):
        options = dict(network="ladder", betas=tuple(np.geomspace(*BETA_RANGE, 4)), progress=True)
        options |= SHORT_TRAINING | LADDER_SCALES[profile]
        multirate = {"MR-VAE": Curve(tilt=2.0), "MR-VAE, no tilt": Curve()}
        options |= dict(methods=(METHODS if profile == "paper" else PLAIN) | multirate)
        return curve_study(rate_setting(name, folder=folder and folder / name, **options))

    return [("binary_mnist", partial(run, "binary_mnist"))]


LINEAR_SCALES = dict(
    quick=[dict(data="digits", latent_dim=16, epochs=600, iterations=100)],
    cpu=[
        dict(data="digits", latent_dim=16, epochs=6000, iterations=2000),
        dict(data="digits", latent_dim=32, epochs=6000, iterations=2000),
        dict(
            data="mnist",
            latent_dim=32,
            epochs=200,
            iterations=2000,
            batch_size=128,
            learning_rate=1e-3,
        ),
    ],
)
LINEAR_SCALES["paper"] = LINEAR_SCALES["cpu"]  # the paper's own epochs take a CPU six minutes


def linear_multirate(profile: str, folder: Path | None = None) -> list:
    """Gap of the linear multi-rate VAE to the exact optimum at every beta (Section 5.1, Figure 4)."""

    def run(scale):
        options = dict(scale)
        data = load(options.pop("data"))
        x = data.x.reshape(len(data.x), -1) / (255.0 if data.x.dtype == "uint8" else 1.0)
        pieces = dict(options, data=data.info["title"], num_data=len(x))
        return Table(linear_study(x, **options).assign(**pieces))

    return [
        (f"{scale['data']}-K{scale['latent_dim']}", partial(run, scale))
        for scale in LINEAR_SCALES[profile]
    ]


# With few and small batches the paper's tanh stays longer on the plateau where nothing but the scale is told.
RELU = dict(decoder_activation="relu", batch_size=64, learning_rate=2e-3)
SPRITE_SCALES = dict(
    quick=dict(
        RELU,
        hidden=(64, 64),
        decoder_hidden=(64, 64, 64),
        epochs=30,
        num_samples=500,
        num_rated=1024,
        seeds=(0,),
    ),
    # A ninth of the width, a quarter of the pixels: 2,880 steps in place of 18,000.
    cpu=dict(
        RELU,
        hidden=(128, 128),
        decoder_hidden=(128, 128, 128),
        side=32,
        epochs=4,
        num_samples=256,
        num_rated=1024,
    ),
    paper=dict(num_samples=1000),
)


def disentanglement(profile: str, folder: Path | None = None) -> list:
    """The mutual information gap over beta, one multi-rate beta-TCVAE against five plain ones (Figure 8)."""
    scale = dict(SPRITE_SCALES[profile])
    seeds = scale.pop("seeds", (0, 1, 2))
    name = "procedural_sprites" if profile == "quick" else "dsprites"

    def run(seed):
        study = disentanglement_study(
            sprite_setting(name, seeds=(seed,), folder=folder, progress=True, **scale)
        )
        return study._replace(table=study.table.assign(replicas=len(seeds)))

    return [(f"{name}-seed{seed}", partial(run, seed)) for seed in seeds]


EXPERIMENTS = dict(
    multi_rate=multi_rate,
    sensitivity=sensitivity,
    hierarchy=hierarchy,
    linear_multirate=linear_multirate,
    disentanglement=disentanglement,
)
