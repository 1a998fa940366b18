"""Data beside points' inputs: honest data pass, changed data do not, and the change is named."""

import time

import numpy as np
import pytest

from rvae_lite import RosettaPoints, data, select_points
from rvae_lite.coverage import distances_to_anchors

DIGITS, POINTS = data.load("digits").x, RosettaPoints.load("book:digits")
CHOSEN = [int(name.removeprefix("digit")) for name in POINTS.ids]
TIGHT = dict(median=0.0, q95=0.001, radius=0.001)
REST = DIGITS[np.setdiff1d(np.arange(len(DIGITS)), CHOSEN)]  # the points' own inputs are not there


def drawn(x, count, seed):
    """So many of the examples."""
    return x[np.random.default_rng(seed).permutation(len(x))[:count]]


def some_points(count, seed=0):
    """So many of the digits' points."""
    rows = np.random.default_rng(seed).permutation(len(POINTS))[:count]
    return RosettaPoints(POINTS.x[rows], POINTS.z[rows][:, :2])


def table(num_data, seed=0):
    """Columns of several laws, units and places; the third follows the first."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, num_data))
    third = 5 + 0.1 * first + 0.02 * rng.normal(size=num_data)
    fourth = np.exp(rng.normal(size=num_data))
    return np.stack([first, 40 + 7 * second, third, fourth, rng.uniform(0, 100, num_data)], 1)


@pytest.mark.parametrize("count", [64, 100, 200, 900])
def test_honest_digits_pass_without_the_points_own_inputs(count):
    assert POINTS.check(DIGITS)[:2] == ([], [])
    for seed in range(20):
        assert POINTS.check(drawn(REST, count, seed))[:2] == ([], [])


@pytest.mark.parametrize("num_points", [10, 16, 32])
def test_honest_digits_pass_few_points(num_points):
    for seed in range(5):
        for count in (num_points + 10, 300):
            assert some_points(num_points, seed).check(drawn(REST, count, seed)).warnings == []


CHANGED = {
    "transposed": REST.swapaxes(2, 3),
    "mirrored left to right": REST[..., ::-1],
    "mirrored up and down": REST[:, :, ::-1],
    "turned upside down": REST[:, :, ::-1, ::-1],
    "turned a quarter to the left": np.rot90(REST, 1, (2, 3)),
    "turned a quarter to the right": np.rot90(REST, 3, (2, 3)),
    "mirrored at the other diagonal": REST[:, :, ::-1, ::-1].swapaxes(2, 3),
    "shifted to the right": np.roll(REST, 1, 3),
    "shifted downwards": np.roll(REST, 1, 2),
    "inverted": 1 - REST,
    "negated": -REST,
    "transposed and inverted": 1 - REST.swapaxes(2, 3),
    "in other units": (REST - REST.mean()) / REST.std(),
    "halved": REST / 2,
    "z-scored by pixel": (REST - REST.mean(0)) / (REST.std(0) + 1e-6),
}


@pytest.mark.parametrize("change", CHANGED)
def test_changed_digits_are_cautioned_against(change):
    changed = np.ascontiguousarray(CHANGED[change])
    for num_points in (10, 64):
        for seed in range(3):
            report = some_points(num_points, seed).check(drawn(changed, 1000, seed))
            assert report.warnings and not report.errors
    said = POINTS.check(changed).warnings[-1]
    if change not in ("halved", "z-scored by pixel"):
        assert f"the data look {change} (so changed, the points' inputs lie " in said
        assert said.endswith("times nearer to them): prepare them as the points' inputs were")


def test_each_caution_says_what_was_measured():
    features, distances, form = POINTS.check(REST / 2).warnings
    assert features.startswith(
        "16 of 64 features differ, most of all place (0, 0, 4), 0.77 ± 0.249"
    )
    assert features.endswith("in the data (mean ± SD): same units, order and orientation?")
    assert distances.startswith("100% of the points' inputs lie farther from the nearest example")
    assert form.startswith("the data look in other units")


def test_other_classes_than_the_points_are_said_to_be_far():
    labels = data.load("digits").labels
    points = RosettaPoints(POINTS.x[labels[CHOSEN] < 5], POINTS.z[labels[CHOSEN] < 5])
    (said,) = points.check(DIGITS[labels >= 5]).warnings
    assert "or expect other kinds of data" in said


@pytest.mark.parametrize("count", [20, 200, 6400])
def test_honest_gaussians_pass_and_changed_ones_do_not(count):
    points = RosettaPoints.load("book:eight_gaussians")
    for seed in range(10):
        honest = drawn(data.load("eight_gaussians", seed=seed).x, count, seed)
        assert points.check(honest)[:2] == ([], [])
        assert points.check(honest[:, ::-1]).warnings
        assert points.check(np.roll(honest, 1, 1)).warnings
        assert points.check(honest * [1, 1, 1, 10, 1]).warnings


def test_tables_pass_only_as_they_are():
    points = RosettaPoints(table(40), np.random.default_rng(0).normal(size=(40, 2)))
    for seed in range(1, 21):
        honest = table(60 + 50 * seed, seed)
        assert points.check(honest)[:2] == ([], [])
        order = np.random.default_rng(seed).permutation(5)
        if (order != np.arange(5)).any():
            said = points.check(honest[:, order]).warnings
            assert said and f"columns {', '.join(map(str, order))} of the points'" in said[-1]
    honest[:, 1] *= 10
    assert "most of all column 1, 42.1 ± 7.58 in " in points.check(honest).warnings[0]
    named = points.check(honest, names=list("abcde")).warnings[0]
    assert "most of all column 1 ('b'), " in named


def test_an_order_that_only_correlations_tell_is_seen():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(640, 3))
    x = np.stack([base[:, 0], base[:, 0] + 0.05 * base[:, 1], base[:, 2]], 1)
    points = RosettaPoints(x[:40], np.zeros((40, 1)))
    assert points.check(x[40:])[:2] == ([], [])
    assert "farther from the nearest example" in points.check(x[40:, [0, 2, 1]]).warnings[0]


LAWS = {
    "normal": lambda rng, n: rng.normal(size=(n, 4)),
    "normal in many dimensions": lambda rng, n: rng.normal(size=(n, 40)),
    "log-normal": lambda rng, n: np.exp(rng.normal(size=(n, 3))),
    "heavy-tailed": lambda rng, n: rng.standard_t(2, size=(n, 3)),
    "counts": lambda rng, n: rng.poisson(2, (n, 3)),
    "rare events": lambda rng, n: (rng.random((n, 20)) < 0.03) * rng.normal(size=(n, 20)),
    "masks": lambda rng, n: rng.random((n, 1, 8, 8)) < np.linspace(0.02, 0.9, 64).reshape(8, 8),
    "far clusters": lambda rng, n: rng.normal(size=(n, 4)) + 20 * (rng.random((n, 1)) < 0.02),
    "repeated": lambda rng, n: np.repeat(rng.normal(size=(n, 3)), 2, 0),
    "large offset": lambda rng, n: 1e3 + rng.normal(size=(n, 3)),
    "isotropic images": lambda rng, n: rng.normal(size=(n, 1, 6, 6)),
}


@pytest.mark.parametrize("law", LAWS)
def test_honest_data_of_many_laws_pass_points_that_stand_for_clusters(law):
    from sklearn.cluster import KMeans

    cautioned = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        num_points = (9, 24, 64)[seed % 3]
        theirs = LAWS[law](rng, 400).astype(np.float32)
        flat = theirs.reshape(len(theirs), -1)
        labels = KMeans(num_points, n_init=1, random_state=seed).fit(flat).labels_
        chosen = [np.flatnonzero(labels == label)[0] for label in np.unique(labels)]
        points = RosettaPoints(theirs[chosen], np.arange(len(chosen))[:, None])
        cautioned += bool(
            points.check(LAWS[law](rng, 100 * (1 + seed)).astype(np.float32)).warnings
        )
    assert cautioned == 0


def test_colours_in_reverse_order_are_named():
    rng = np.random.default_rng(0)
    x = rng.random((300, 1, 6, 6)) * np.array([1.0, 0.6, 0.2]).reshape(3, 1, 1)
    x += 0.2 * rng.random(x.shape)
    points = RosettaPoints(x[:32], np.zeros((32, 1)))
    assert points.check(x[32:])[:2] == ([], [])
    said = points.check(x[32:, ::-1]).warnings[-1]
    assert "the data look to have its channels in reverse order" in said


def test_large_images_and_many_data_are_compared_quickly():
    rng = np.random.default_rng(0)
    digits = REST[rng.integers(0, len(REST), 10_000)]
    large = np.kron(digits[:600], np.ones((16, 16)))  # 128 by 128
    points = RosettaPoints(np.kron(POINTS.x, np.ones((16, 16))), POINTS.z)
    start = time.perf_counter()
    assert POINTS.check(digits)[:2] == ([], [])
    assert POINTS.check(digits[..., ::-1]).warnings
    assert time.perf_counter() - start < 2
    assert points.check(large)[:2] == ([], [])
    assert "mirrored up and down" in points.check(large[:, :, ::-1]).warnings[-1]
    assert "around place" in points.check(1 - large).warnings[0]


def test_columns_are_compared_by_name_where_both_have_names():
    x, z = table(40), np.zeros((40, 1))
    points = RosettaPoints(x, z, header=dict(names=["a", "b", "c", "Männchen", "e"]))
    data = table(90, 1)
    assert points.check(data, names=["a", "b ", "c", "Ma\u0308nnchen", "e"])[:2] == ([], [])
    unnamed = RosettaPoints(x, z).check(data, names=list("abcde"))
    assert points.check(data) == unnamed and unnamed[:2] == ([], [])
    (error,) = points.check(data, names=["b", "a", "c", "Männchen", "e"]).errors
    wanted = "column 0 of the data is 'b', of the points 'a'"
    assert error == f"{wanted}: bring the columns into the points' order"
    (warning,) = points.check(data, names=["a", "b", "c", "d", "e"]).warnings
    assert warning.endswith("'Männchen' (1 of 5 differ): are they the same quantities?")
    (error,) = points.check(data, names=["a"]).errors
    assert error == "there are 1 names for data of shape (5,): pass one a column"


def test_nan_in_settings_is_like_nan():
    z = np.zeros((40, 1))
    points = RosettaPoints(
        table(40), z, header=dict(preprocessing=dict(low=float("nan"), high=[1]))
    )
    data = table(90, 1)
    assert points.check(data, dict(low=np.nan, high=(1,)))[:2] == ([], [])
    (error,) = points.check(data, dict(low=2.0, high=[1])).errors
    assert "low: nan against 2.0" in error


def test_decoded_inputs_may_lie_a_little_farther():
    flat = REST.reshape(len(REST), -1)
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:4]  # a linear decoder
    kept = (POINTS.x.reshape(64, -1) - flat.mean(0)) @ axes.T @ axes + flat.mean(0)
    smooth = kept.clip(0, 1).reshape(POINTS.x.shape)
    as_they_are, decoded = (
        RosettaPoints(smooth, POINTS.z, header=dict(share=dict(inputs=inputs)))
        for inputs in ("as they are", "decoded")
    )
    assert as_they_are.check(REST).warnings and not decoded.check(REST).warnings
    for change in ("transposed", "mirrored left to right", "mirrored up and down", "inverted"):
        assert f"the data look {change}" in decoded.check(CHANGED[change]).warnings[-1]


def test_a_form_that_is_met_exactly_has_no_factor():
    said = POINTS.check(DIGITS.swapaxes(2, 3)).warnings[-1]
    assert "look transposed (so changed, the points' inputs lie incomparably nearer" in said


def test_a_report_tells_which_data_the_points_cover():
    means = REST.reshape(len(REST), -1)[:, ::9]
    data = np.concatenate([REST[800:], 1 - REST[:10]])
    points = select_points(REST[:800], means[:800], 40)
    own, others = points.check(REST[:800]).covering, points.check(data).covering
    assert own.stated and own.share == 1 and own.uncovered == []
    told = points.header["covering"]
    assert np.allclose([own.median, own.q95, own.radius], list(told.values()), rtol=1e-5)
    distances = distances_to_anchors(data, points.x)
    beyond = np.flatnonzero(distances > told["radius"] * (1 + 1e-4))
    assert sorted(others.uncovered) == beyond.tolist() and len(beyond)
    assert others.uncovered[0] == distances.argmax()
    assert np.isclose(others.share, 1 - len(beyond) / len(distances))
    said = str(points.check(data)).splitlines()
    assert said[0] == "the points fit the data"
    text = "% of the examples lie no farther from a point's input than the sender's own data did"
    assert said[1].startswith("covering: 9") and text in said[1]
    assert said[1].endswith(f"farthest: {distances.max():.3g}, example {distances.argmax()}")
    assert "all examples lie no farther" in str(points.check(REST[:800]))


def test_of_a_file_that_tells_no_covering_the_points_distances_stand_for_it():
    covering = POINTS.check(REST).covering
    flat = POINTS.x.reshape(64, -1).astype(float)
    apart = np.linalg.norm(flat[:, None] - flat, axis=2) + 1e9 * np.eye(64)
    assert not covering.stated and np.isclose(covering.limit, apart.min(1).max())
    assert "the file does not say what its points covered" in str(covering)
    alone = RosettaPoints(POINTS.x[:1], POINTS.z[:1]).check(REST)
    assert alone.covering is None and "covering" not in str(alone)
    decoded = RosettaPoints(POINTS.x, POINTS.z, header=dict(share=dict(inputs="decoded")))
    assert decoded.check(REST).covering is None


def test_data_of_which_under_half_are_covered_are_warned_of():
    rng = np.random.default_rng(0)
    near, z = rng.normal(size=(300, 2)), np.zeros((300, 2))
    points = select_points(near, z, 20, method="farthest_first")
    wide = points.check(1.9 * rng.normal(size=(300, 2)))
    assert wide.covering.share > 0.5 and wide.warnings == []
    points = RosettaPoints(points.x, points.z[:, :1], header=dict(covering=TIGHT))
    (warning,) = points.check(near).warnings
    assert warning == f"{points.check(near).covering}: of the others the points say little"
    assert str(points.check(near)) == f"warning: {warning}"


def test_what_cannot_be_compared_has_no_covering():
    assert POINTS.check(255.0 * REST).covering is None
    assert POINTS.check(REST[:, :, :4]).covering is None
