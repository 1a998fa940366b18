"""The report on a comparison: one page that stands alone."""

import math
import re

import numpy as np
from workbench import BETAS, draw, shrinking, turned

from rvae_lite.lab.comparing import compare_spaces, value_of, verdicts
from rvae_lite.lab.report import comparison_page
from rvae_lite.lab.spaces import known_maps


def test_the_known_map_is_measured_beside_the_unaligned_distance_and_shown():
    points, rng = shrinking(), np.random.default_rng(2)
    low = rng.standard_normal((60, 2))
    maps = known_maps(points, dict(low=BETAS[0], high=BETAS[-1], also=BETAS[0]))
    spaces = dict(
        low=low, high=maps["low", "high"](low), also=low + 0.01 * rng.standard_normal((60, 2))
    )
    compared = compare_spaces(spaces, known_maps=maps, num_anchors=9)
    assert (
        value_of(compared, "high", "low", "known")
        < 1e-9
        < 0.3
        < value_of(compared, "high", "low", "unaligned")
    )
    assert value_of(compared, "also", "low", "known") == value_of(
        compared, "also", "low", "unaligned"
    )
    assert verdicts(compared)["high"].startswith(
        "the space of low at another beta: by the file's own map points lie "
    )
    assert list(compared.known) == ["high"] and np.allclose(compared.known["high"], low)
    page = comparison_page(compared, over_beta=dict(also=([0.1, 1.0], [0.2, 0.3])))
    assert (
        "after the file&#39;s own map" in page
        and "high, by the file&#39;s own map, in the plane of low" in page
    )
    assert "Distance to the reference read at the same beta" in page
    without = comparison_page(compare_spaces(spaces, num_anchors=9))
    assert "own map" not in without and "same beta" not in without
    assert math.isnan(value_of(compare_spaces(spaces, num_anchors=9), "high", "low", "known"))


def test_the_page_stands_alone_and_says_everything(compared):
    page = comparison_page(compared, title="A <test> & more", notes=["made up"])
    assert page.startswith("<!doctype html>") and "A &lt;test&gt; &amp; more" in page
    assert (
        not re.search(r"""(?:src|href)=["'](?!data:)""", page)
        and "<script" not in page
        and "@import" not in page
    )
    assert page.count("<figure>") == page.count("data:image/svg+xml;base64,") == 10
    for name in compared.spaces:
        assert name in page
    assert "prefers-color-scheme: dark" in page and "made up." in page


def test_the_same_comparison_gives_the_same_page():
    first = draw(40, 2)
    made = [
        comparison_page(compare_spaces(dict(a=first, b=turned(first)), num_anchors=5))
        for _ in range(2)
    ]
    assert made[0] == made[1]
