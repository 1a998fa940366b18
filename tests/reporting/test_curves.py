"""Figures of rate and distortion: every figure draws what it is given."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rvae_lite.reporting import curves, figures


@pytest.fixture(autouse=True)
def closed_figures():
    with plt.rc_context():
        figures.use_style()
        yield
        plt.close("all")


@pytest.fixture
def curve():
    return pd.DataFrame(
        dict(beta=[0.1, 1.0, 10.0], rate=[5.0, 2.0, 0.0], distortion=[1.0, 2.0, 8.0])
    )


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
