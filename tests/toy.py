"""The small trainings that several test modules share.

They are far too short to reach their anchors; `fit` says so, and `fit_quietly` keeps that warning to itself.
"""

import warnings

import numpy as np
import torch

from rvae_lite import VAE, RosettaPoints, data, fit
from rvae_lite.anchors import PointsNotReached
from rvae_lite.objective import BETA_VAE, Batch, ReplicaLoss

NUM_REPLICAS, EPOCHS, BATCH_SIZE = 10, 3, 25
BETA = [0.1, 0.5, 1.0, 1.0, 1.5, 2.0, 2.5, 2.5, 4.0, 8.0]
RHO = [0.0, 2.75, 0.0, 15.0, 0.5, 0.0, 2.75, 1.0, 3.0, 0.0]
SEEDS = [11, 7, 3, 1, 2**40, 0, 5, 7, 13, 17]
RESUMED_EPOCHS = 6


def toy_data():
    """97 points of the 8 Gaussians, in units of their radius, so that no batch size divides N."""
    return torch.from_numpy(data.load("eight_gaussians", num_examples=97).x).double() / 40


def toy_points(x=None):
    """Six anchors, their latents a stretched map of the circle."""
    x = (toy_data() if x is None else x)[::17]
    return RosettaPoints(x, 1.5 * x[:, :2])


def toy_model(**options):
    return VAE.mlp(5, 2, (8, 8), **options).double()


def fit_quietly(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PointsNotReached)
        return fit(*arguments, **options)


def toy_fit(m=None, **options):
    """Ten mixed replicas in float64, or replica m of them alone."""
    chosen = slice(None) if m is None else slice(m, m + 1)
    settings = (
        dict(epochs=EPOCHS, batch_size=BATCH_SIZE, compile=False, points=toy_points()) | options
    )
    settings |= dict(
        replicas=NUM_REPLICAS if m is None else 1,
        beta=BETA[chosen],
        rho=RHO[chosen],
        seed=SEEDS[chosen],
    )
    return fit_quietly(toy_model(), toy_data(), **settings)


def long_fit(**options):
    """Three mixed replicas in float32, some epochs long."""
    x = toy_data().float()
    settings = dict(
        replicas=3, epochs=RESUMED_EPOCHS, batch_size=25, beta=[0.5, 1.0, 2.0], rho=[0.0, 1.0, 15.0]
    )
    settings |= dict(seed=4, points=toy_points(x), compile=False) | options
    return fit_quietly(VAE.mlp(5, 2, (8, 8)), x, **settings)


def assert_close(actual, expected):
    torch.testing.assert_close(
        torch.as_tensor(actual), torch.as_tensor(expected), rtol=0, atol=1e-10
    )


def terms_of(space):
    """The history of a Fit: (epochs, T, M)."""
    return np.stack(list(space.terms.values()), axis=1)


def batch_loss(model, x, noise, beta, *rest, objective=BETA_VAE, num_data=97):
    """The loss of one batch (x, noise, beta, rho, anchors), and its terms."""
    batch = Batch(x, noise, beta, beta, *rest)
    return ReplicaLoss(model, objective, num_data=num_data)(batch)
