"""The report on a comparison: one page that stands alone."""

import base64
import hashlib
import math
import re

import numpy as np
from workbench import BETAS, draw, explored, floats, shrinking, turned

from rvae_lite.lab.comparing import compare_spaces, value_of, verdicts
from rvae_lite.lab.exploring import Examples
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
    assert "after the file&#39;s own map" in page and "one space by the file&#39;s own map" in page
    high, also = explored(page)["spaces"]
    assert "known" in high["maps"] and "known" not in also["maps"]
    assert floats(high["maps"]["known"]["far"]).max() < 1e-6
    assert "Distance to the reference read at the same beta" in page
    without = comparison_page(compare_spaces(spaces, num_anchors=9))
    assert "by the file&#39;s own map" not in without and "same beta" not in without
    assert math.isnan(value_of(compare_spaces(spaces, num_anchors=9), "high", "low", "known"))


def test_the_page_stands_alone_and_says_everything(compared):
    page = comparison_page(compared, title="A <test> & more", notes=["made up"])
    assert page.startswith("<!doctype html>") and "A &lt;test&gt; &amp; more" in page
    assert not re.search(r"""(?:src|href) ?= ?["'](?!data:)""", page)
    assert "@import" not in page and "://" not in page
    assert page.count("data:image/svg+xml;base64,") == 4 + 4  # planes without a script, and figures
    for name in compared.spaces:
        assert name in page
    assert "prefers-color-scheme: dark" in page and "made up." in page


def test_one_script_may_run_and_nothing_may_be_loaded(compared):
    page = comparison_page(compared)
    code, policy = (
        page.split("<script>")[1].split("</script>")[0],
        "default-src 'none'; img-src data:",
    )
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"{policy}; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert page.count("<script") == 2 and code.isascii()
    assert not re.search(
        "innerHTML|outerHTML|insertAdjacent|document.write|eval|fetch|XMLHttp", code
    )


def test_names_and_labels_never_become_markup():
    first, wicked = draw(40, 2), "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    named = np.array([f"{wicked}{number}" for number in range(40)])
    shown = Examples(ids=named, labels=np.array([wicked, "b"] * 20))
    compared = compare_spaces({wicked: first, wicked + "2": turned(first)}, num_anchors=5)
    page = comparison_page(compared, title=wicked, notes=[wicked], examples=shown)
    assert "<img src=x" not in page and page.count("<script") == 2
    data = explored(page)
    assert data["reference"] == wicked and data["ids"][7] == f"{wicked}7"
    assert set(data["labels"]["names"]) == {wicked, "b"}


def test_the_same_comparison_gives_the_same_page():
    first = draw(40, 2)
    made = [
        comparison_page(compare_spaces(dict(a=first, b=turned(first)), num_anchors=5))
        for _ in range(2)
    ]
    assert made[0] == made[1]


def test_names_that_are_long_or_look_like_formulas_are_drawn_as_they_are():
    names = "a" * 300, r"$\frac$ $x$", "plain"
    spaces = {name: draw(40, 2, seed=seed) for seed, name in enumerate(names)}
    page = comparison_page(compare_spaces(spaces, num_anchors=5))
    assert r"\frac" in page
