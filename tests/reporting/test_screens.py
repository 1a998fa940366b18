"""A figure is one SVG: its drawing for a page, and inside it one for narrow screens."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from loading import load_file
from PIL import Image

from rvae_lite.reporting import figures, screens

pytestmark = pytest.mark.usefixtures("book_style")


def size(svg: str) -> tuple[float, float]:
    """Width and height of an SVG, inches."""
    width, height = re.search(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    return float(width) / 72, float(height) / 72


def graphs(columns: int):
    figure, axes = plt.subplots(1, columns, figsize=(3 * columns, 2.5), sharey=True)
    for ax in axes:
        ax.plot([0, 1], [1, 2])
    axes[0].set_ylabel("distance")
    return figure, axes


def test_a_wide_figure_holds_a_narrow_drawing_and_a_small_one_none():
    figure, _ = graphs(3)
    svg = screens.svg(figure)
    assert size(svg) == pytest.approx((9, 2.5), abs=0.3)
    assert size(svg[svg.index(screens.HIDDEN) :]) == pytest.approx((screens.NARROW, 7.5), abs=0.3)
    small, _ = plt.subplots(figsize=(3, 2))
    assert screens.HIDDEN not in screens.svg(small)


def test_an_svg_is_well_formed_and_the_same_twice():
    figure, _ = graphs(2)
    svg = screens.svg(figure)
    ElementTree.fromstring(svg)
    assert screens.svg(figure) == svg


def test_graphs_stand_below_each_other_and_each_has_the_label_of_its_row():
    figure, axes = graphs(3)
    with screens.narrowed(figure):
        assert [ax.get_subplotspec().rowspan.start for ax in axes] == [0, 1, 2]
        assert {ax.get_ylabel() for ax in axes} == {"distance"}
        assert all(ax.yaxis.get_tick_params()["labelleft"] for ax in axes)
    assert [ax.get_subplotspec().colspan.start for ax in axes] == [0, 1, 2]
    assert [ax.get_ylabel() for ax in axes] == ["distance", "", ""]
    assert not axes[1].yaxis.get_tick_params()["labelleft"]
    assert tuple(figure.get_size_inches()) == (9, 2.5)


def test_planes_stand_two_by_two_and_images_eight_by_eight():
    planes = {name: np.zeros((3, 2)) for name in "abcde"}
    figure = figures.plot_spaces(planes, np.zeros(3, int), columns=5)
    with screens.narrowed(figure):
        assert [ax.get_subplotspec().num1 for ax in figure.axes] == [0, 1, 2, 3, 4]
        assert figure.axes[0].get_gridspec().get_geometry() == (3, 2)
    figure = figures.plot_images(np.zeros((32, 4, 4)), columns=16)
    with screens.narrowed(figure):
        assert figure.axes[0].get_gridspec().get_geometry() == (4, 8)
        assert figure.axes[16].get_subplotspec().rowspan.start == 2  # a row begins a row
    figure = figures.plot_images(np.zeros((10, 4, 4)), columns=10)
    with screens.narrowed(figure):
        assert figure.axes[0].get_gridspec().get_geometry() == (2, 5)  # not eight and two


def test_a_cloud_of_dots_is_drawn_as_pixels_and_a_few_dots_are_not():
    figure, (left, right) = plt.subplots(1, 2)
    left.scatter(*np.random.default_rng(0).normal(size=(2, screens.MANY + 1)))
    right.scatter([0, 1], [0, 1])
    screens.svg(figure)
    assert left.collections[0].get_rasterized() and not right.collections[0].get_rasterized()


def test_a_picture_of_256_greys_stays_as_it_is():
    greys = np.arange(256, dtype=np.uint8).reshape(16, 16)
    file = io.BytesIO()
    Image.fromarray(greys).convert("RGBA").save(file, format="png")
    before = re.match(".*", base64.b64encode(file.getvalue()).decode())
    after = Image.open(io.BytesIO(base64.b64decode(screens._fewer_colours(before))))
    assert after.mode == "L" and np.array_equal(np.asarray(after), greys)


def test_the_books_pages_get_four_drawings_and_keep_them_when_built_again(tmp_path):
    extension = load_file("book/_ext/figures.py")
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / f"{'a' * 64}.svg").write_text(screens.svg(graphs(3)[0]))
    for _ in range(2):
        extension.write(SimpleNamespace(outdir=tmp_path), None)
        found = {file.stem[64:]: file.read_text() for file in (tmp_path / "_images").iterdir()}
        assert sorted(found) == ["", "-dark", "-dark-narrow", "-narrow"]
        assert size(found[""])[0] == size(found["-dark"])[0] > 8
        assert size(found["-narrow"])[0] == size(found["-dark-narrow"])[0] < 4
        assert screens.INK in found["-narrow"] and screens.INK not in found["-dark-narrow"]
