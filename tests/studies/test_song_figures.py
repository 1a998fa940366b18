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


HOME = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
BIRDS, KINDS = np.array(["finch0", "finch0", "finch1"]), np.array(["a", "b", "a"])


@pytest.mark.parametrize("across, shape", [("spaces", (2, 3)), ("birds", (3, 2))])
def test_each_bird_has_a_panel_for_each_space(across, shape):
    spaces = dict.fromkeys(("VAE", "VAE, mapped", "R-VAE"), HOME + 1)
    figure = song_figures.plot_moves(HOME, spaces, BIRDS, KINDS, across=across)
    assert len(figure.axes) == 6
    titles = [ax.get_title() for ax in figure.axes[: shape[1]]]
    names = [ax.get_ylabel() for ax in figure.axes[:: shape[1]]]
    found = (titles, names) if across == "spaces" else (names, titles)
    assert found == (list(spaces), ["finch0", "finch1"])


def test_a_line_leads_from_home_to_the_same_syllable_elsewhere():
    moved = HOME + [3.0, 0.0]
    first, second = song_figures.plot_moves(HOME, {"VAE": moved}, BIRDS, KINDS).axes
    lines = first.collections[0].get_segments()
    np.testing.assert_allclose(lines, np.stack([HOME, moved], axis=1)[:2])
    assert len(second.collections[0].get_segments()) == 1
    assert [text.get_text() for text in first.texts] == ["a", "b"]


def test_columns_that_are_neither_spaces_nor_birds_are_refused():
    with pytest.raises(ValueError, match="across must be 'spaces' or 'birds', not 'types'"):
        song_figures.plot_moves(HOME, {"VAE": HOME}, BIRDS, KINDS, across="types")
