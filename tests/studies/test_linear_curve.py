"""Exact curves of trained linear models agree with sampling."""

import numpy as np
import pytest
import torch

from rvae_lite import VAE, fit, linear_vae
from rvae_lite.metrics import rate_distortion_curve
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.studies.linear_curve import linear_curve

LINEAR = VAE.linear(4, 2, noise_variance=0.3)
QUICK = dict(epochs=3, batch_size=200, learning_rate=0.02, compile=False)


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return (1 + random.normal(size=(4000, 4)) * [2, 1, 0.5, 0.2]).astype(np.float32)


def test_the_exact_curve_is_what_sampling_estimates(x):
    trained = fit(LINEAR, x, replicas=2, beta=[0.1, 1.0], **QUICK)
    exact, sampled = linear_curve(trained, x), rate_distortion_curve(trained, x)
    assert np.allclose(exact.rate, sampled.rate, rtol=1e-4)
    assert np.allclose(exact.distortion, sampled.distortion, rtol=0.05)
    assert np.allclose(exact.loss, exact.distortion + exact.beta * exact.rate)


def test_a_multirate_model_has_a_point_at_every_beta(x):
    trained = fit(make_multirate(LINEAR), x, replicas=2, beta=LogUniform(0.01, 10), **QUICK)
    exact = linear_curve(trained, x, [0.1, 1.0])
    assert exact.replica.tolist() == [0, 0, 1, 1] and exact.beta.tolist() == [0.1, 1.0] * 2
    assert np.allclose(exact.rate, rate_distortion_curve(trained, x, [0.1, 1.0]).rate, rtol=1e-4)


def test_no_trained_model_beats_the_optimum(x):
    trained = linear_curve(fit(LINEAR, x, replicas=2, beta=[0.1, 1.0], **QUICK), x)
    covariance = np.cov(x.T.astype(float), bias=True)
    best = linear_vae.rate_distortion(
        covariance, latent_dim=2, betas=[0.1, 1.0], noise_variance=0.3
    )
    assert (trained.loss > (best.distortion + torch.tensor([0.1, 1.0]) * best.rate).numpy()).all()


def test_betas_that_do_not_fit_the_models_are_refused(x):
    trained = fit(LINEAR, x, replicas=1, **QUICK)
    with pytest.raises(
        ValueError, match="betas are needed for a multi-rate Fit and refused for a plain one"
    ):
        linear_curve(trained, x, [1.0])


def test_models_that_are_not_linear_are_refused(x):
    trained = fit(VAE.mlp(4, 2, hidden=(3,)), x, replicas=1, **QUICK)
    with pytest.raises(ValueError, match="fit must hold linear models"):
        linear_curve(trained, x)
