"""How to train is chosen from the data's shape and spread, and from the points."""

import math

import numpy as np
import pytest
from workbench import circle, images

from rvae_lite import RosettaPoints, data
from rvae_lite.lab import plan as plans
from rvae_lite.lab.plan import Plan, beta_range_of, build_model, complete


@pytest.mark.parametrize(
    ("x", "network", "latent_dim"),
    [
        (circle(), "mlp", 2),
        (np.tile(circle(), 20), "mlp", 8),
        (images(), "patch", 8),
        (images(size=7), "mlp", 8),
    ],
)
def test_the_network_follows_the_datas_shape(x, network, latent_dim):
    plan = complete(Plan(), x)
    assert (plan.network, plan.latent_dim) == (network, latent_dim)
    model = build_model(x.shape[1:], plan, bounded=x.dtype == np.uint8)
    assert model.value_range == ((0.0, 1.0) if x.dtype == np.uint8 else None)


def test_the_noise_is_a_tenth_of_the_variance_and_steps_are_about_as_many_for_any_data():
    x = circle(1000)
    plan = complete(Plan(), x)
    assert math.isclose(plan.noise_variance, 0.1 * x.var(0).mean(), rel_tol=0.05)
    assert plan.rho == 0.0
    for number in (200, 1000, 8000):
        some = complete(Plan(), circle(number))
        assert 1800 <= some.epochs * 0.9 * number / some.batch_size <= 3200
    assert complete(Plan(), images()).noise_variance < 0.1


def test_the_points_decide_k_noise_and_likelihood():
    header = dict(model=dict(likelihood="gaussian", noise_variance=0.5))
    points = RosettaPoints(circle(9), np.zeros((9, 4)), header=header)
    plan = complete(Plan(), circle(), points)
    assert (plan.latent_dim, plan.noise_variance, plan.rho) == (4, 0.5, 2.75)
    assert complete(Plan(noise_variance=0.2), circle(), points).noise_variance == 0.2


def test_a_multi_rate_plan_takes_its_range_from_the_curves_and_twice_the_steps():
    x, narrow = circle(), RosettaPoints(circle(9), np.ones((2, 9, 2)), betas=[0.1, 3.0])
    assert beta_range_of(narrow) == (0.1, 3.0) and beta_range_of() == beta_range_of(
        narrow.at_beta(1)
    ) == (0.01, 10.0)
    plan = complete(Plan(beta_range=(0.1, 3.0)), x, narrow)
    assert plan.beta is None and plan.epochs == 2 * complete(Plan(), x).epochs and plan.rho == 2.75


def test_the_books_own_points_fit_its_digits():
    points = RosettaPoints.load("book:digits")
    plan = complete(Plan(), data.load("digits").x, points)
    assert plan.latent_dim == points.z.shape[1] and plans.check_units(data.load("digits").x) > 0
