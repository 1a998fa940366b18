"""Comparisons of latent spaces: against alignment's own functions, invariances, intervals."""

import numpy as np
import pytest
from workbench import circle, draw, four_spaces, turned

from rvae_lite import alignment
from rvae_lite.lab import comparing
from rvae_lite.lab.comparing import compare_spaces, linear_cka, value_of, verdicts
from rvae_lite.lab.report import comparison_page


def test_values_are_those_of_alignment(compared):
    first, near = compared.spaces["first"], compared.spaces["near"]
    variance = alignment.total_variance(first)
    rest = np.setdiff1d(np.arange(150), compared.anchors)
    at = compared.anchors
    expected = dict(
        lsd=alignment.latent_space_distortion(near, first),
        r_squared=alignment.r_squared(alignment.linear_map(near, first)(near), first),
        unaligned=alignment.mean_squared_distance(near, first) / variance,
    )
    for name, fitted in (
        ("procrustes", alignment.orthogonal_map),
        ("affine", alignment.linear_map),
    ):
        moved = fitted(near[at], first[at])(near)
        expected[name] = alignment.mean_squared_distance(moved[rest], first[rest]) / variance
    for metric, value in expected.items():
        assert np.isclose(value_of(compared, "near", "first", metric), value), metric


def test_retraining_variability_is_that_of_alignment(compared):
    means = np.stack(list(compared.spaces.values()))
    expected = alignment.retraining_variability(means)
    found = compared.group.set_index("metric").value
    assert np.allclose(
        found[["rv", "rv_relative", "rv_within"]],
        [expected.value, expected.relative, expected.within_fraction],
    )
    assert set(compared.group["rank"]) == {expected.rank}


def test_a_rotation_is_invisible_to_what_should_not_see_it(compared):
    values = {
        metric: value_of(compared, "turned", "first", metric) for metric in comparing.MEASURES
    }
    assert values["unaligned"] > 0.3
    assert max(values[name] for name in ("procrustes", "affine", "lsd")) < 1e-12
    assert min(values[name] for name in ("r_squared", "cka", "neighbours")) > 1 - 1e-9


def test_linear_cka_meets_its_textbook_form():
    x, y = draw(40, 5), draw(40, 3, seed=1)
    x, y = x - x.mean(0), y - y.mean(0)
    grams = [one @ one.T for one in (x, y)]
    expected = (grams[0] * grams[1]).sum() / np.prod([np.linalg.norm(gram) for gram in grams])
    assert np.isclose(linear_cka(x, y), expected)
    assert np.isclose(linear_cka(x, 7 * turned(x)), 1)


def test_neighbours_of_unrelated_spaces_overlap_as_by_chance(compared):
    assert value_of(compared, "other", "first", "neighbours") < 3 * comparing.NEIGHBOURS / 150


def test_moments_give_the_same_distortion_as_least_squares():
    source, target = draw(60, 4), draw(60, 3, seed=1)
    counts = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60))
    drawn = np.repeat(np.arange(60), counts)
    moments = comparing._moments(source, target, counts)
    assert np.isclose(
        comparing._lsd(moments), alignment.latent_space_distortion(source[drawn], target[drawn])
    )
    assert np.isclose(np.trace(moments[2]), alignment.total_variance(target[drawn]))


def test_the_pooled_volume_of_a_resampling_is_that_of_the_points_drawn():
    means = draw(4, 30, 2)
    counts = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30))
    drawn = means[:, np.repeat(np.arange(30), counts)]
    expected = alignment.retraining_variability(drawn)
    pooled, within = comparing._pooled(means, counts, expected.rank)
    assert np.isclose(expected.value - pooled, expected.relative)
    assert np.isclose(within, expected.within_fraction, rtol=2e-2)


def test_intervals_hold_their_values_and_shrink_with_the_data(compared):
    rows = compared.pairs
    inside = (rows.low <= rows.value + 1e-9) & (rows.value <= rows.high + 1e-9)
    assert inside.mean() > 0.9
    large = compare_spaces(four_spaces(1200), anchors=np.arange(0, 1200, 80)).pairs
    width = [
        (t.high - t.low)[(t.metric == "unaligned") & (t.source == "other")].mean()
        for t in (rows, large)
    ]
    assert width[1] < 0.6 * width[0]


def test_instability_is_zero_where_spaces_agree_after_maps():
    first = draw(60, 2)
    found = compare_spaces(dict(a=first, b=turned(first)), num_anchors=5).instability
    assert found["after affine maps"].max() < 1e-6 < found["as they are"].max()


def test_spaces_of_different_k_lack_what_is_not_defined():
    found = compare_spaces(dict(a=draw(40, 2), b=draw(40, 3, seed=1)), num_anchors=6)
    assert np.isnan(value_of(found, "b", "a", "unaligned")) and np.isnan(
        value_of(found, "b", "a", "procrustes")
    )
    assert np.isfinite(value_of(found, "b", "a", "affine")) and np.isfinite(
        value_of(found, "b", "a", "cka")
    )
    assert found.group.empty and list(found.instability) == ["after affine maps"]
    assert "not defined between spaces of different K" in comparison_page(found)


def test_a_collapsed_reference_is_said_to_be_one():
    found = compare_spaces(dict(a=np.zeros((30, 2)), b=draw(30, 2)), anchors=[0, 1, 2])
    assert verdicts(found)["b"] == "a has collapsed to a point: nothing can be compared with it"
    assert "collapsed" in comparison_page(found)


def test_verdicts_tell_the_same_space_from_a_turned_and_another_one(compared):
    said = verdicts(compared)
    assert said["near"].startswith("the space of first: unaligned, points lie ")
    assert said["turned"].startswith("the space of first up to an affine map (R² 1.00), unaligned ")
    assert said["other"].startswith("another space than first (R² 0.")


def test_anchors_may_lie_outside_the_data():
    x = four_spaces()
    inside = compare_spaces(x, anchors=np.arange(9))
    outside = compare_spaces(x, anchor_spaces={name: means[:9] for name, means in x.items()})
    moved = alignment.linear_map(x["near"][:9], x["first"][:9])(x["near"])
    expected = alignment.mean_squared_distance(moved, x["first"]) / alignment.total_variance(
        x["first"]
    )
    assert np.isclose(value_of(outside, "near", "first", "affine"), expected)
    assert outside.anchors is None and inside.anchors is not None


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (dict(a=draw(30, 2)), {}, "there are 1 spaces to compare: pass at least two"),
        (dict(a=draw(30, 2), b=draw(29, 2)), {}, "b has 29 examples, a 30: encode the same data"),
        (dict(a=draw(30, 2), b=draw(30)), {}, r"b must be \(N, K\), not \(30,\)"),
        (dict(a=draw(30, 2), b=np.full((30, 2), np.nan)), {}, "b holds NaN or infinite values"),
        (
            dict(a=draw(9, 2), b=draw(9, 2)),
            {},
            "there are 9 examples, too few to compare: pass 12 or more",
        ),
        (
            dict(a=draw(30, 2), b=draw(30, 2)),
            dict(anchors=[30]),
            "anchors must be row numbers below 30",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(given, options, message):
    with pytest.raises(ValueError, match=message):
        compare_spaces(given, **options)


def test_the_pairs_may_have_a_bar(capsys):
    spaces = dict(a=circle(30), b=circle(30, seed=1))
    compare_spaces(spaces, num_anchors=5, progress="comparing")
    assert "comparing: 100%" in capsys.readouterr().err
