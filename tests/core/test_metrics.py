"""Metrics: eigenvalues and areas against closed forms, Frechet distance against scipy."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import torch

from rvae_lite import VAE, data, fit, linear_vae, metrics
from rvae_lite.fitted import Evaluation
from rvae_lite.multirate import LogUniform, make_multirate

COVARIANCE = torch.diag(torch.tensor([8.0, 2.0, 0.5], dtype=torch.float64))
BETAS = np.geomspace(0.01, 5, 40)


def exact_curve(latent_dim, betas=BETAS):
    return linear_vae.rate_distortion(
        COVARIANCE, latent_dim=latent_dim, betas=betas, noise_variance=1.0
    )


class ExactFit:
    """A stand-in for a Fit: the optimal linear VAEs with K = 3 and K = 1."""

    latent_dims = (3, 1)

    def __init__(self, beta=(math.nan, math.nan)):
        self.beta, self.info = np.array(beta), dict(seconds=2.5)

    def __len__(self):
        return 2

    def evaluate(self, x, *, beta=None, seed=0):
        betas = self.beta if beta is None else [beta] * 2
        curves = [exact_curve(k, [b]) for k, b in zip(self.latent_dims, betas, strict=True)]
        distortion, rate = (np.array([float(curve[i]) for curve in curves]) for i in (1, 0))
        return Evaluation(distortion, rate, np.zeros(2))


# ---------------------------------------------------------------- active units


def sample_with(variances, *, num_data=500, rotate=False):
    """Points whose sample covariance has exactly these eigenvalues."""
    random = np.random.default_rng(0)
    white = random.standard_normal((num_data, len(variances)))
    white -= white.mean(0)
    white = np.linalg.qr(white)[0] * math.sqrt(num_data - 1)
    points = white * np.sqrt(variances)
    turn = np.linalg.qr(random.standard_normal((len(variances),) * 2))[0]
    return points @ turn.T if rotate else points


@pytest.mark.parametrize("rotate", [True, False])
def test_active_units_are_the_eigenvalues_above_the_threshold_in_any_rotation(rotate):
    means = sample_with([1.0, 0.5, 0.011, 0.009, 0.0], rotate=rotate)
    assert metrics.active_units(means) == 3
    assert metrics.active_units(torch.from_numpy(means), threshold=0.1) == 2
    assert metrics.active_units(means, axes=True) == (5 if rotate else 3)


def test_active_units_of_replicas_come_one_by_one():
    means = np.stack([sample_with([1.0, 1.0, 0.0]), sample_with([1.0, 0.0, 0.0], rotate=True)])
    assert metrics.active_units(means).tolist() == [2, 1]
    assert metrics.active_units(means[:, :, :1]).tolist() == [1, 1]


def test_active_units_of_the_linear_optimum_are_those_of_water_filling():
    x = sample_with([8.0, 2.0, 0.5])
    for beta in (0.1, 1.0, 4.0, 9.0):
        best = linear_vae.optimum(
            np.cov(x, rowvar=False), latent_dim=3, beta=beta, noise_variance=1.0
        )
        assert metrics.active_units(x @ best.encoder.T.numpy()) == sum(
            v > beta for v in (8.0, 2.0, 0.5)
        )


@pytest.mark.parametrize("shape", [(1, 3), (4,), (4, 0), (0, 3, 2), (2, 2, 2, 2)])
def test_means_of_another_shape_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"means must be \(N, K\) or \(M, N, K\) with at least 2 data"
    ):
        metrics.active_units(np.zeros(shape))


def test_means_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="means holds NaN or infinite values"):
        metrics.active_units(np.full((3, 2), np.nan))


# ---------------------------------------------------------------- curves


def test_the_curve_of_a_multirate_fit_has_a_row_per_replica_and_beta():
    table = metrics.rate_distortion_curve(ExactFit(), None, BETAS)
    assert table.columns.tolist() == [
        "replica",
        "beta",
        "rate",
        "distortion",
        "loss",
        "squared_error",
    ]
    assert table.replica.tolist() == [0] * 40 + [1] * 40
    for replica, latent_dim in enumerate(ExactFit.latent_dims):
        part, exact = table[table.replica == replica], exact_curve(latent_dim)
        np.testing.assert_allclose(part.beta, BETAS)
        np.testing.assert_allclose(part.rate, exact.rate)
        np.testing.assert_allclose(
            part.loss, exact.distortion + torch.from_numpy(BETAS) * exact.rate
        )


def test_the_curve_of_a_plain_fit_takes_each_replica_at_its_own_beta():
    x = torch.from_numpy(data.load("eight_gaussians", num_examples=60).x) / 40
    fitted = fit(
        VAE.mlp(5, 2, (8,)),
        x,
        replicas=3,
        beta=[0.1, 1.0, 4.0],
        epochs=2,
        batch_size=20,
        compile=False,
    )
    table = metrics.rate_distortion_curve(fitted, x, seed=5)
    expected = fitted.evaluate(x, seed=5)
    assert table.beta.tolist() == [0.1, 1.0, 4.0]
    np.testing.assert_array_equal(table.rate, expected.rate)
    np.testing.assert_array_equal(
        table.loss, expected.distortion + np.array([0.1, 1.0, 4.0]) * expected.rate
    )


def test_the_curve_of_a_trained_multirate_model_is_that_of_its_plain_selves():
    x = torch.from_numpy(data.load("eight_gaussians", num_examples=60).x) / 40
    gated = make_multirate(VAE.mlp(5, 2, (8,)), beta_range=(0.01, 10.0))
    options = dict(replicas=2, epochs=2, batch_size=20, compile=False)
    fitted = fit(gated, x, beta=LogUniform(0.01, 10.0), **options)
    table = metrics.rate_distortion_curve(fitted, x, [0.1, 3.0], seed=1)
    assert table.beta.tolist() == [0.1, 3.0, 0.1, 3.0]
    for beta in (0.1, 3.0):
        plain = metrics.rate_distortion_curve(fitted.at_beta(beta), x, seed=1)
        pd.testing.assert_frame_equal(
            table[table.beta == beta].reset_index(drop=True), plain, rtol=1e-4
        )


def test_betas_belong_to_multirate_fits_alone():
    with pytest.raises(ValueError, match="a multi-rate Fit answers at every beta: pass betas"):
        metrics.rate_distortion_curve(ExactFit(), None)
    with pytest.raises(
        ValueError, match="betas are for a multi-rate Fit; a plain Fit has one beta per replica"
    ):
        metrics.rate_distortion_curve(ExactFit(beta=(1.0, 2.0)), None, BETAS)
    with pytest.raises(
        ValueError, match=r"betas must be positive finite numbers, \(T,\), not \[0.0\]"
    ):
        metrics.rate_distortion_curve(ExactFit(), None, [0.0])


def test_the_area_between_parallel_lines_is_their_distance_times_the_common_range():
    low, high = ([0.0, 2.0, 5.0], [9.0, 5.0, -1.0]), ([8.0, 1.0], [-6.0, 8.0])  # 9 - 2 R, 10 - 2 R
    assert metrics.area_between(low, high) == pytest.approx(-4.0)
    assert metrics.area_between(high, low) == pytest.approx(4.0)
    assert (metrics.dominance(low, high), metrics.dominance(high, low)) == (1.0, 0.0)
    assert metrics.area_between(low, low) == metrics.dominance(low, low) == 0.0


def test_crossing_curves_share_the_range():
    flat, falling = ([0.0, 4.0], [1.0, 1.0]), ([0.0, 4.0], [4.0, 0.0])  # they meet at rate 3
    assert metrics.dominance(flat, falling) == pytest.approx(0.75)
    assert metrics.dominance(falling, flat) == pytest.approx(0.25)
    assert metrics.area_between(flat, falling) == pytest.approx(0.5 - 4.5)


def test_the_area_between_exact_curves_is_the_integral_of_their_difference():
    # One latent at the rate R leaves 8 exp(-2 R), all three water-fill: integrate both finely.
    betas = np.geomspace(1e-4, 7.99, 3000)
    many, one = exact_curve(3, betas), exact_curve(1, betas)
    low, high = float(one.rate[-1]), float(one.rate[0])
    rates = np.linspace(low, high, 200_001)
    alone = 4 * np.exp(-2 * rates) + 1.25 + 1.5 * math.log(2 * math.pi)
    together = np.interp(rates, many.rate.flip(0), many.distortion.flip(0))
    exact = np.trapezoid(together - alone, rates)
    assert metrics.area_between(
        (many.rate, many.distortion), (one.rate, one.distortion)
    ) == pytest.approx(exact, rel=1e-4)
    assert metrics.dominance((many.rate, many.distortion), (one.rate, one.distortion)) > 0.7


def test_tables_are_taken_as_curves_one_replica_at_a_time():
    table = metrics.rate_distortion_curve(ExactFit(), None, BETAS)
    three, one = (table[table.replica == replica] for replica in (0, 1))
    assert metrics.area_between(three, one) < 0
    with pytest.raises(
        ValueError, match="curve_b has several points at one beta: pass one curve, as table"
    ):
        metrics.area_between(three, table)


def test_a_rate_that_occurs_twice_has_its_mean_distortion():
    twice = pd.DataFrame(dict(rate=[0.0, 0.0, 1.0], distortion=[1.0, 3.0, 0.0]))
    assert metrics.area_between(twice, ([0.0, 1.0], [0.0, 0.0])) == pytest.approx(1.0)


def test_curves_without_a_common_range_are_refused():
    with pytest.raises(
        ValueError, match="curve_a has rates 0 to 1, curve_b 2 to 3: they have no range in common"
    ):
        metrics.area_between(([0, 1], [1, 0]), ([2, 3], [1, 0]))
    with pytest.raises(
        ValueError, match="curve_a must have at least two different rates, not 1: take more betas"
    ):
        metrics.dominance(([1, 1], [1, 0]), ([2, 3], [1, 0]))
    with pytest.raises(ValueError, match="curve_b must be rates and distortions of one length"):
        metrics.dominance(([0, 1], [1, 0]), ([2, 3], [1]))


# ---------------------------------------------------------------- Frechet distance


@pytest.mark.parametrize("num_b", [5, 300])
def test_the_frechet_distance_agrees_with_the_matrix_square_root(num_b):
    random = np.random.default_rng(1)
    mixing = random.standard_normal((2, 8, 8))
    a, b = (
        random.standard_normal((200, 8)) @ mixing[0],
        random.standard_normal((num_b, 8)) @ mixing[1] + 0.3,
    )
    s_a, s_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s_a @ s_b).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s_a + s_b - 2 * root)
    rounding = 1e-10 if num_b > 8 else 1e-5  # sqrtm loses digits where the covariance is singular
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=rounding)
    assert metrics.frechet_distance(b, a) == pytest.approx(metrics.frechet_distance(a, b), rel=1e-6)


def test_the_frechet_distance_of_a_set_to_itself_is_zero_and_to_its_shift_the_square_of_it():
    points = sample_with([3.0, 1.0, 0.2], rotate=True)
    assert metrics.frechet_distance(points, points) < 1e-10
    assert metrics.frechet_distance(points, points + [3.0, 0.0, 4.0]) == pytest.approx(25.0)
    assert metrics.frechet_distance(points[:, :1], 2 * points[:, :1]) == pytest.approx(
        points[:, 0].var(ddof=1) + np.square(points[:, 0].mean())
    )


def test_features_that_do_not_compare_are_refused():
    with pytest.raises(ValueError, match="a has 2 features, b 3: take both from one encoder"):
        metrics.frechet_distance(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(
        ValueError, match=r"b must be features \(N, F\) of at least 2 examples, not \(1, 2\)"
    ):
        metrics.frechet_distance(np.zeros((4, 2)), np.zeros((1, 2)))
