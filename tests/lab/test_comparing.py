"""Comparisons of latent spaces: against alignment's own functions, invariances, intervals."""

import numpy as np
import pytest
from workbench import circle, draw, four_spaces, turned

from rvae_lite import alignment, rivals
from rvae_lite.lab import comparing, measuring
from rvae_lite.lab.comparing import compare_spaces, linear_cka, value_of, verdicts
from rvae_lite.lab.report import comparison_page


def one_by_one(source, target):
    """Each datum by the map of the others, fitted anew each time."""
    others = [np.arange(len(source)) != i for i in range(len(source))]
    maps = [alignment.linear_map(source[rows], target[rows]) for rows in others]
    return np.concatenate([fitted(source[i : i + 1]) for i, fitted in enumerate(maps)])


def test_values_are_those_of_alignment(compared):
    first, near = compared.spaces["first"], compared.spaces["near"]
    variance = alignment.total_variance(first)
    rest = np.setdiff1d(np.arange(150), compared.anchors)
    at = compared.anchors
    expected = dict(
        lsd=alignment.latent_space_distortion(near, first),
        r_squared=alignment.r_squared(one_by_one(near[rest], first[rest]), first[rest]),
        unaligned=alignment.mean_squared_distance(near[rest], first[rest]) / variance,
        cka=linear_cka(near[rest], first[rest]),
    )
    for name, fitted in (
        ("procrustes", alignment.orthogonal_map),
        ("similarity", rivals.similarity_map),
        ("affine", alignment.linear_map),
        ("ridge", rivals.ridge_map),
        ("smooth", rivals.smooth_map),
        ("relative", rivals.relative_map),
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
    exact = ("procrustes", "similarity", "affine", "ridge", "smooth", "relative", "lsd")
    assert max(values[name] for name in exact) < 1e-12
    assert min(values[name] for name in ("r_squared", "cka", "neighbours")) > 1 - 1e-9


def test_linear_cka_meets_its_definition():
    x, y = draw(12, 5), draw(12, 3, seed=1)
    grams = [one @ one.T for one in (x, y)]
    for gram in grams:
        np.fill_diagonal(gram, 0)

    def unbiased(k, m, n=12):  # Song et al. (2012), Eq. 5, but for a factor
        sums = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * (k @ m).sum() / (n - 2)
        return np.trace(k @ m) + sums

    norms = [unbiased(gram, gram) for gram in grams]
    assert np.isclose(linear_cka(x, y), unbiased(*grams) / np.sqrt(np.prod(norms)))
    assert np.isclose(linear_cka(x, 7 * turned(x)), 1)
    assert np.isclose(linear_cka(np.repeat(x, 3, 0), np.repeat(y, 3, 0)), linear_cka(x, y))
    assert np.isnan(linear_cka(x, np.ones((12, 2))))
    with pytest.raises(ValueError, match="linear CKA of 3 different examples is not defined: pass"):
        linear_cka(x[:3], y[:3])


def test_linear_cka_of_unrelated_spaces_is_zero_on_average():
    found = [linear_cka(draw(30, 20, seed=s), draw(30, 25, seed=99 + s)) for s in range(300)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 300**0.5 and min(found) < 0 < max(found)


def test_neighbours_of_unrelated_spaces_overlap_as_by_chance(compared):
    assert value_of(compared, "other", "first", "neighbours") < 3 * comparing.NEIGHBOURS / 150


def test_moments_give_the_same_distortion_as_least_squares():
    source, target = draw(60, 4), draw(60, 3, seed=1)
    counts = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=2)
    drawn = np.repeat(np.arange(60), counts[1])
    own, cross, other = (each[1] for each in measuring._moments(source, target, counts))
    expected = alignment.latent_space_distortion(source[drawn], target[drawn])
    assert np.isclose(measuring._lsd(own, cross, other), expected)
    assert np.isclose(np.trace(other), alignment.total_variance(target[drawn]))


def test_each_example_is_met_by_the_map_of_the_others():
    source, target = draw(30, 4), draw(30, 3, seed=1)
    assert np.allclose(measuring.left_out(source, target), one_by_one(source, target))
    dead = np.concatenate([source, np.full((30, 2), 7.0)], axis=1)  # directions without a use
    assert np.allclose(measuring.left_out(dead, target), measuring.left_out(source, target))
    assert measuring.num_directions(turned(dead)) == 4
    few = measuring.left_out(source[:5], target[:5])  # the others say nothing of a direction
    assert np.isfinite(few).all()


def test_noise_is_never_the_space_of_noise(monkeypatch):
    monkeypatch.setattr(comparing, "RESAMPLINGS", 2)
    rng = np.random.default_rng(0)
    for _ in range(25):
        count, dims = int(np.exp(rng.uniform(np.log(12), np.log(1000)))), rng.integers(2, 41, 2)
        a, b = (rng.normal(size=(count, dim)) for dim in dims)
        (said,) = verdicts(compare_spaces(dict(a=a, b=b))).values()
        too_few = count < 3 * dims[1]
        assert said.startswith("too few examples to tell (" if too_few else "another space than a")
        assert too_few == (f"pass at least {3 * dims[1]}" in said)


def test_a_space_is_recognised_through_any_map(monkeypatch):
    monkeypatch.setattr(comparing, "RESAMPLINGS", 2)
    rng = np.random.default_rng(1)
    for _ in range(12):
        dim = int(rng.integers(2, 41))
        count = int(rng.integers(max(3 * dim, 12), 3 * dim + 200))
        a = rng.normal(size=(count, dim)) * rng.uniform(0.2, 5, dim)
        b = a @ rng.normal(size=(dim, dim)) + rng.normal(size=dim)
        said = verdicts(compare_spaces(dict(a=a, b=b, c=turned(a), d=a)))
        for name in "bc":
            assert said[name].startswith("the space of a up to an affine map (R² 1.00 on left-out")
        assert said["d"].startswith("the space of a: unaligned, points lie 0 % of its variance")


def test_examples_that_are_there_twice_count_once():
    a, b = draw(9, 5), draw(9, 5, seed=1)
    repeated = {name: np.tile(means, (20, 1)) for name, means in dict(a=a, b=b).items()}
    found = compare_spaces(repeated, num_anchors=4)
    expected = "too few examples to tell (9 different ones for a map of 5 dimensions, unaligned "
    assert verdicts(found)["b"].startswith(expected)
    assert np.isnan(value_of(found, "b", "a", "neighbours"))
    assert any("are of 9 different examples" in note for note in found.notes)
    assert "too few examples to tell" in comparison_page(found)


def test_anchors_that_were_trained_on_are_no_evidence():
    a, b = draw(100, 3), draw(100, 3, seed=1)
    b[:80] = a[:80]  # the points' inputs land where they were told to
    found = compare_spaces(dict(a=a, b=b), anchors=np.arange(80))
    assert value_of(found, "b", "a", "unaligned") > 1
    assert verdicts(found)["b"].startswith("another space than a")
    assert "all distances are measured on the examples that are no anchors" in found.notes


def test_fewer_examples_than_a_map_needs_have_no_distortion():
    found = compare_spaces(dict(a=draw(20, 30), b=draw(20, 30, seed=1)))
    rows = found.pairs.set_index(["source", "metric"]).loc["b"]
    assert rows.loc["lsd"][["value", "low", "high"]].isna().all()
    assert rows.value["r_squared"] < 0.1 and abs(rows.value["cka"]) < 0.3
    assert min(found.instability["after affine maps"]) > 0


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
    assert np.isnan(value_of(found, "b", "a", "similarity"))
    for metric in ("ridge", "smooth", "relative"):
        assert np.isfinite(value_of(found, "b", "a", metric))
    assert any("needs one K, and source has 2, target 3 dimen" in note for note in found.notes)
    assert found.group.empty and list(found.instability) == ["after affine maps"]
    assert "not defined between spaces of different K" in comparison_page(found)


def test_rivals_that_cannot_be_fitted_lack_values_and_the_notes_say_why_once():
    spaces = {name: draw(40, 3, seed=seed) for seed, name in enumerate("abc")}
    found = compare_spaces(spaces, anchors=[0, 1])
    for metric in ("similarity", "ridge", "smooth", "relative"):
        rows = found.pairs[found.pairs.metric == metric]
        assert len(rows) == 6 and rows[["value", "low", "high"]].isna().all(axis=None)
    page = comparison_page(found)
    for needs in ("and scale needs 3", "ridge affine needs 3", "smooth needs 3", "cosines needs 3"):
        assert page.count(f"{needs} different anchors") == 1
    (note,) = (note for note in found.notes if "smooth needs" in note)
    start = (
        "“after a smooth map, from anchors” lacks values: smooth needs 3 different anchors, and "
    )
    assert note.startswith(start)
    row = page[page.index("<td>after a smooth map, from anchors") :]
    assert row[: row.index("</tr>")].count("—") == 2
    enough = compare_spaces(spaces, anchors=np.arange(9))
    assert not any("lacks values" in note for note in enough.notes)
    assert np.isfinite(value_of(enough, "b", "a", "relative"))


def test_a_collapsed_reference_is_said_to_be_one():
    found = compare_spaces(dict(a=np.zeros((30, 2)), b=draw(30, 2)), anchors=[0, 1, 2])
    assert verdicts(found)["b"] == "a has collapsed to a point: nothing can be compared with it"
    assert "collapsed" in comparison_page(found)
    both = compare_spaces(dict(a=np.zeros((30, 2)), b=np.ones((30, 2))), anchors=np.arange(29))
    assert verdicts(both)["b"].startswith("a has collapsed to a point")
    one = compare_spaces(dict(a=draw(30, 2), b=draw(30, 2, seed=1)), anchors=np.arange(29))
    assert verdicts(one)["b"].startswith("too few examples to tell (1 different ones for a map")


def test_verdicts_tell_the_same_space_from_a_turned_and_another_one(compared):
    said = verdicts(compared)
    assert said["near"].startswith("the space of first: unaligned, points lie ")
    assert said["turned"].startswith(
        "the space of first up to an affine map (R² 1.00 on left-out examples), unaligned "
    )
    assert said["other"].startswith("another space than first (R² -0.05 on left-out examples, ")


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
