"""Figures of birdsong name every syllable and every type."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rvae_lite.studies import song_figures


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_a_song_has_a_name_and_a_line_for_each_syllable():
    samples = np.random.default_rng(0).normal(size=32000)
    ax = song_figures.plot_song(samples, 32000, [0.1, 0.5], [0.2, 0.7], ["a", "b"])
    assert [text.get_text() for text in ax.texts] == ["a", "b"]
    assert len(ax.collections) == 2 and ax.get_xlabel() == "seconds"


def test_a_type_is_named_with_its_number_of_points():
    frame = pd.DataFrame({"VAE": [1.0, 2.0], "R-VAE": [0.1, 0.2], "points": [3, 0]}, ["a", "b"])
    ax = song_figures.plot_by_type(frame, label="distance")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a (3)", "b (0)"]
    assert len(ax.collections) == 2 and ax.get_xscale() == "log"
