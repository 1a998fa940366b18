"""What one_space, two_networks and frontier have in common: data, scale, and a template's curves.

Letters: M replicas, R Rosetta points.
"""

import warnings

import numpy as np

from rvae_lite.anchors import PointsNotReached
from rvae_lite.data import Dataset
from rvae_lite.fitted import Fit
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.protocols import distil
from rvae_lite.studies.setup import PAPER_GATES, Method, Setup, image_setup, toy_setup, train

EPOCHS = dict(
    quick=dict(toy=10, wide=10, digits=10, mnist=2, songs=5),
    cpu=dict(toy=18, wide=15, digits=40, mnist=30, songs=60),
    paper=dict(toy=200, wide=200, digits=400, mnist=200, songs=300),
)
# Runs, learning rate (short trainings need larger steps to learn the gates), examples of MNIST,
# iterations of the linear model.
PROFILES = dict(
    quick=dict(replicas=3, learning_rate=5e-3, num_examples=500, iterations=20),
    cpu=dict(replicas=10, learning_rate=5e-3, num_examples=6000, iterations=1000),
    paper=dict(replicas=10, learning_rate=1e-3, num_examples=None, iterations=2000),
)


def space_setup(profile, name: str, *, methods=None, **changes) -> Setup:
    """8 Gaussians ("eight_gaussians-1", -40: their radius), "digits" or "mnist", at a profile."""
    epochs, options = EPOCHS[profile.name], dict(methods=methods or {}, cosine=True)
    options.update(replicas=profile.replicas, learning_rate=profile.learning_rate)
    if name.startswith("eight_gaussians-"):
        radius = int(name.removeprefix("eight_gaussians-"))
        base = toy_setup(epochs=epochs["toy" if radius == 1 else "wide"], **options)
        info = dict(base.dataset.info, title=f"8 Gaussians, radius {radius}")
        dataset = base.dataset._replace(x=base.dataset.x * (radius / 40), info=info)
        wide = {} if radius == 1 else dict(learning_rate=2e-3)  # no such large steps
        return base._replace(dataset=dataset, **wide | changes)
    if name == "mnist":
        options["num_examples"] = profile.num_examples
        if profile.name == "cpu":
            options.update(batch_size=64, learning_rate=2e-3)
    return image_setup(name, network="mlp", epochs=epochs[name], **options | changes)


def multirate_template(
    setup: Setup, dataset: Dataset, *, template: int, label: str = "template"
) -> tuple[Fit, RosettaPoints]:
    """A multi-rate model of the data, one replica, and its curves."""
    space = train(setup, dataset.x, method=PAPER_GATES, seed=template, label=f"{label} {template}")
    return space, distil(setup, space, dataset)


def train_held(setup: Setup, x, points: RosettaPoints, *, method: Method, **options) -> Fit:
    """Train on data and the points' inputs, held by the points; options as in `train`.

    Short trainings and weak points do not reach every point, and need not.
    """
    joined = np.concatenate([np.asarray(x), points.x])
    held = points if method.at is None else points.at_beta(method.at)
    options.update(method=method, points=held, rho=method.rho, replicas=setup.replicas)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PointsNotReached)
        return train(setup, joined, **options)
