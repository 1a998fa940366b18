"""Every figure draws what it is given, on the axes it is given, and nothing is shown or saved."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from rvae_lite.reporting import figures

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture
def table():
    rows = [
        dict(method=method, metric=metric, part="all", value=1.0 + seed, seed=seed, template=0)
        for method in ("VAE", "R-VAE")
        for metric in ("lsd", "spectrum_0", "spectrum_1")
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def test_a_space_is_drawn_on_the_axes_given():
    _, ax = plt.subplots()
    assert figures.plot_space(np.zeros((4, 2)), np.arange(4), points=np.ones((2, 2)), ax=ax) is ax
    assert len(ax.collections) == 2 and ax.get_aspect() == 1.0


def test_spaces_share_one_scale():
    figure = figures.plot_spaces(
        {"a": np.zeros((3, 2)), "b": 9 * np.ones((3, 2))}, np.arange(3), columns=2
    )
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim()


def test_the_plane_of_a_target_is_linear_and_keeps_its_leading_variance():
    target = np.random.default_rng(0).normal(size=(200, 4)) * [5, 3, 0.1, 0.1]
    flat = figures.plane_of(target)(target)
    assert flat.var(0).sum() == pytest.approx(target[:, :2].var(0).sum(), rel=0.01)
    assert np.allclose(figures.plane_of(target)(2 * target - target.mean(0)), 2 * flat)


def test_runs_are_dots_and_their_median_a_bar(table):
    ax = figures.plot_by_method(table, metric="lsd", part="all", label="LSD")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["VAE", "R-VAE"]
    assert len(ax.collections) == 4 and ax.get_ylabel() == "LSD"


def test_amounts_are_legible_on_a_dark_and_on_a_light_page():
    brightness = figures.warmth()(np.linspace(0, 1, 9))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert brightness.min() > 0.1 and brightness.max() < 0.85


def test_spaces_pass_through_one_window():
    planes = figures.through(
        lambda means: means[..., :2] + 1, {"a": np.zeros((3, 4)), "b": np.ones((3, 4))}
    )
    assert list(planes) == ["a", "b"] and planes["b"].shape == (3, 2) and (planes["b"] == 2).all()


def test_metrics_over_the_number_of_points_have_a_line_per_method():
    frame = pd.DataFrame(
        dict(
            part="D1", method="VAE", num_points=[2, 4], median=[0.0, 1.0], lowest=-1.0, highest=2.0
        )
    )
    ax = figures.plot_over_points(frame, part="D1", label="LSD")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["VAE"]


def test_runs_over_the_number_of_points_are_dots_around_a_line(table):
    ax = figures.plot_runs_over_points(
        table.assign(num_points=4), metric="lsd", part="all", label="LSD"
    )
    assert len(ax.collections) == len(ax.lines) == 2 and ax.get_xscale() == "log"


@pytest.mark.parametrize("images", [np.zeros((5, 1, 8, 8)), np.zeros((5, 8, 8), dtype=np.uint8)])
def test_images_fill_a_grid(images):
    assert len(figures.plot_images(images, columns=4).axes) == 8


def test_rows_of_images_have_names():
    figure = figures.plot_images(np.zeros((4, 8, 8)), columns=2, rows=["above", "below"])
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["above", "below"]


def test_classes_take_ten_colours_and_directions_a_circle():
    ax = figures.plot_space(np.zeros((3, 2)), np.array([0.0, 0.5, 1.0]))
    first, half, round_again = ax.collections[0].get_facecolor()[:, :3]
    assert np.allclose(first, round_again) and not np.allclose(first, half)


@pytest.mark.filterwarnings("ignore")
def test_umap_is_fitted_on_the_target_and_applied_to_the_others(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)  # sixty points: compiling takes longer
    import umap

    def fit(reducer, *arguments, original=umap.UMAP.fit):
        torch.set_num_threads(threads + 1)  # as Numba does when it compiles
        return original(reducer, *arguments)

    monkeypatch.setattr(umap.UMAP, "fit", fit)
    threads, noise = torch.get_num_threads(), np.random.default_rng(0).normal(size=(60, 6))
    target = np.repeat(np.eye(3, 6), 20, axis=0) + 0.01 * noise
    window = figures.umap_of(target)
    planes = window(np.stack([target, target[::-1]]))
    assert planes.shape == (2, 60, 2)
    assert torch.get_num_threads() == threads  # trainings side by side stay out of each other's way
    forwards, backwards = (plane.reshape(3, 20, 2).mean(1) for plane in planes)
    assert np.allclose(forwards, backwards[::-1], atol=2)  # the same islands in another order


def test_a_large_window_is_a_umap_and_a_small_one_a_plane(monkeypatch):
    monkeypatch.setattr(figures, "umap_of", lambda target, *, seed: "umap")
    assert figures.window_of(np.zeros((figures.LARGE, 3))) == "umap"
    assert figures.window_of(np.eye(3))(np.zeros((5, 3))).shape == (5, 2)


TOGETHER = [  # lines of one figure
    ["VAE", "beta-VAE", "R-VAE", "R-VAE, rho 2.75", "VAE, anchors repeated", "VAE (same seed)"],
    ["MR-VAE", "beta-VAE", "beta-VAE, annealed", "MR-VAE, 4 times as long", "beta-TCVAE", "exact"],
    ["MR-VAE", "MR-VAE, annealed", "MR-VAE, 4 times as long", "beta-VAE", "beta-VAE, annealed"],
    ["MR-VAE", "MR-VAE, paper's gates", "MR-VAE, twice as long", "beta-VAE", "beta-VAE, annealed"],
    ["MR-VAE", "beta-VAE, annealed", "affine latents", "no gates at the latents", "latents alone"],
    ["MR-VAE", "beta-VAE, annealed", "more low betas", "more at both ends", "one beta a batch"],
    ["MR-VAE", "beta-VAE, annealed", "sigmoid, sigmoid", "sqrt, sqrt", "FiLM"],
    ["MR-VAE", "beta-VAE, annealed", "[0.1, 1]", "[0.01, 1]", "[0.001, 100]"],
    ["MR-VAE", "beta-VAE, annealed", "slow gates"],
    ["MR-VAE", "beta-VAE", "MR-VAE, no tilt"],
    ["coarse", "fine"],
    ["exact", "proof's weights", "corrected gates", "sigmoid encoder", "same gates, optimised"],
    ["exact", "corrected gates", "all sigmoid", "all sigmoid, optimised", "sigmoid encoder"],
    ["one training per rho", "one training", "one training, 4 times as long"],
    ["VAE", "curves", "plain points", "raw inputs"],
]


def test_every_method_of_the_book_has_its_own_colour():
    assert len(set(figures.COLOURS.values())) == len(figures.COLOURS)
    assert figures.colour_of("a stranger") in figures.PALETTE


@pytest.mark.parametrize("methods", TOGETHER)
def test_lines_of_one_figure_have_different_colours(methods):
    assert len({figures.colour_of(method) for method in methods}) == len(methods)


@pytest.mark.parametrize(("panels", "rows"), [(2, 1), (3, 1), (4, 2), (5, 2)])
def test_more_than_three_panels_stand_in_two_rows(panels, rows):
    figure, axes = figures.figure_row(panels)
    assert len(axes) == panels == len(figure.axes)
    assert len({round(ax.get_position().y0, 3) for ax in axes}) == rows
    plt.close(figure)


@pytest.fixture
def curve():
    return pd.DataFrame(
        dict(beta=[0.1, 1.0, 10.0], rate=[5.0, 2.0, 0.0], distortion=[1.0, 2.0, 8.0])
    )


def test_curves_are_dots_or_lines_and_betas_are_written_beside_the_dots(curve):
    _, ax = plt.subplots()
    named = {"exact": curve, "beta-VAE": curve[::-1]}
    assert figures.plot_rate_distortion(named, lines=["exact"], betas="beta-VAE", ax=ax) is ax
    assert [line.get_marker() for line in ax.lines] == ["None", "o"]
    assert sorted(text.get_text() for text in ax.texts) == ["0.1", "1", "10"]
    assert (np.diff(ax.lines[1].get_xdata()) > 0).all()


def test_tangents_have_the_slope_minus_beta(curve):
    ax = figures.plot_tangents(
        curve, length=0.2, ax=figures.plot_rate_distortion({"beta-VAE": curve})
    )
    slopes = [np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0] for line in ax.lines[1:]]
    assert slopes == pytest.approx([-0.1, -1.0, -10.0])


def test_beta_stands_on_a_logarithmic_axis():
    ax = figures.plot_over_beta(
        {"a": ([0.1, 1], [1, 2]), "b": ([0.1, 1], [2, 3])}, label="rate", log=True
    )
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylabel()) == ("log", "log", "rate")
    assert len(ax.lines) == 2 and ax.get_legend() is not None


def test_water_covers_what_is_below_the_level_and_all_beyond_the_latents():
    ax = figures.plot_water_filling([4.0, 2.0, 1.0], 1.5, latent_dim=2)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == [1.5, 1.5, 1.0, 2.5, 0.5, 0.0]
