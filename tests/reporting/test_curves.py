"""Exact curves of trained linear models agree with sampling; figures draw what they are given."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from rvae_lite import VAE, fit, linear_vae
from rvae_lite.metrics import rate_distortion_curve
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.reporting import curves, figures

LINEAR = VAE.linear(4, 2, noise_variance=0.3)
QUICK = dict(epochs=3, batch_size=200, learning_rate=0.02, compile=False)


@pytest.fixture(autouse=True)
def closed_figures():
    with plt.rc_context():
        figures.use_style()
        yield
        plt.close("all")


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return (1 + random.normal(size=(4000, 4)) * [2, 1, 0.5, 0.2]).astype(np.float32)


@pytest.fixture
def curve():
    return pd.DataFrame(
        dict(beta=[0.1, 1.0, 10.0], rate=[5.0, 2.0, 0.0], distortion=[1.0, 2.0, 8.0])
    )


def test_the_exact_curve_is_what_sampling_estimates(x):
    trained = fit(LINEAR, x, replicas=2, beta=[0.1, 1.0], **QUICK)
    exact, sampled = curves.linear_curve(trained, x), rate_distortion_curve(trained, x)
    assert np.allclose(exact.rate, sampled.rate, rtol=1e-4)
    assert np.allclose(exact.distortion, sampled.distortion, rtol=0.05)
    assert np.allclose(exact.loss, exact.distortion + exact.beta * exact.rate)


def test_a_multirate_model_has_a_point_at_every_beta(x):
    trained = fit(make_multirate(LINEAR), x, replicas=2, beta=LogUniform(0.01, 10), **QUICK)
    exact = curves.linear_curve(trained, x, [0.1, 1.0])
    assert exact.replica.tolist() == [0, 0, 1, 1] and exact.beta.tolist() == [0.1, 1.0] * 2
    assert np.allclose(exact.rate, rate_distortion_curve(trained, x, [0.1, 1.0]).rate, rtol=1e-4)


def test_no_trained_model_beats_the_optimum(x):
    trained = curves.linear_curve(fit(LINEAR, x, replicas=2, beta=[0.1, 1.0], **QUICK), x)
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
        curves.linear_curve(trained, x, [1.0])


def test_models_that_are_not_linear_are_refused(x):
    trained = fit(VAE.mlp(4, 2, hidden=(3,)), x, replicas=1, **QUICK)
    with pytest.raises(ValueError, match="fit must hold linear models"):
        curves.linear_curve(trained, x)


def test_curves_are_dots_or_lines_and_betas_are_written_beside_the_dots(curve):
    _, ax = plt.subplots()
    named = {"exact": curve, "beta-VAE": curve[::-1]}
    assert curves.plot_rate_distortion(named, lines=["exact"], betas="beta-VAE", ax=ax) is ax
    assert [line.get_marker() for line in ax.lines] == ["None", "o"]
    assert sorted(text.get_text() for text in ax.texts) == ["0.1", "1", "10"]
    assert (np.diff(ax.lines[1].get_xdata()) > 0).all()


def test_tangents_have_the_slope_minus_beta(curve):
    ax = curves.plot_tangents(
        curve, length=0.2, ax=curves.plot_rate_distortion({"beta-VAE": curve})
    )
    slopes = [np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0] for line in ax.lines[1:]]
    assert slopes == pytest.approx([-0.1, -1.0, -10.0])


def test_beta_stands_on_a_logarithmic_axis():
    ax = curves.plot_over_beta(
        {"a": ([0.1, 1], [1, 2]), "b": ([0.1, 1], [2, 3])}, label="rate", log=True
    )
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylabel()) == ("log", "log", "rate")
    assert len(ax.lines) == 2 and ax.get_legend() is not None


def test_water_covers_what_is_below_the_level_and_all_beyond_the_latents():
    ax = curves.plot_water_filling([4.0, 2.0, 1.0], 1.5, latent_dim=2)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == [1.5, 1.5, 1.0, 2.5, 0.5, 0.0]
