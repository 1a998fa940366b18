"""A laboratory's defaults, trainings, points and what it compares."""

import math

import numpy as np
import pytest

from rvae_lite import VAE, RosettaPoints, data, fit
from rvae_lite.lab import spaces
from rvae_lite.lab import plan as plans
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.plan import Plan, build_model, complete
from rvae_lite.lab.training import reaching, train_space
from rvae_lite.multirate import LogUniform, make_multirate

QUICK = Plan(epochs=2, batch_size=32)


def circle(num_data=120, *, seed=0):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, num_data)
    return np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1).astype(np.float32)


def images(num_data=60, size=8):
    return np.random.default_rng(0).integers(0, 256, (num_data, 1, size, size)).astype(np.uint8)


@pytest.fixture(scope="module")
def trained():
    return train_space(circle(), plan=QUICK)


@pytest.mark.parametrize(
    ("x", "network", "latent_dim"),
    [
        (circle(), "mlp", 2),
        (np.tile(circle(), 20), "mlp", 8),
        (images(), "patch", 8),
        (images(size=7), "mlp", 8),
    ],
)
def test_the_network_follows_the_datas_shape(x, network, latent_dim):
    plan = complete(Plan(), x)
    assert (plan.network, plan.latent_dim) == (network, latent_dim)
    model = build_model(x.shape[1:], plan, bounded=x.dtype == np.uint8)
    assert model.value_range == ((0.0, 1.0) if x.dtype == np.uint8 else None)


def test_the_noise_is_a_tenth_of_the_variance_and_steps_are_about_as_many_for_any_data():
    x = circle(1000)
    plan = complete(Plan(), x)
    assert math.isclose(plan.noise_variance, 0.1 * x.var(0).mean(), rel_tol=0.05)
    assert plan.rho == 0.0
    for number in (200, 1000, 8000):
        some = complete(Plan(), circle(number))
        assert 1800 <= some.epochs * 0.9 * number / some.batch_size <= 3200
    assert complete(Plan(), images()).noise_variance < 0.1


def test_the_points_decide_k_noise_and_likelihood():
    header = dict(model=dict(likelihood="gaussian", noise_variance=0.5))
    points = RosettaPoints(circle(9), np.zeros((9, 4)), header=header)
    plan = complete(Plan(), circle(), points)
    assert (plan.latent_dim, plan.noise_variance, plan.rho) == (4, 0.5, 2.75)
    assert complete(Plan(noise_variance=0.2), circle(), points).noise_variance == 0.2


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            1e6 * circle(),
            r"root mean square is 8\d*, too far|root mean square is .*e\+05, too far from 1 .* such as",
        ),
        (1e-6 * circle(), "too far from 1 to train on: pass a value_scale"),
        (np.ones((9, 3), np.float32), "the data are all the same: pass examples that differ"),
    ],
)
def test_unsuitable_units_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        train_space(x, plan=QUICK)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(network="lstm"), r"network must be one of \['cnn', .*\], not 'lstm'"),
        (
            Plan(network="patch"),
            r"network 'patch' needs images \(C, H, W\), not \(3,\): choose mlp",
        ),
        (Plan(held_out=1.0), "held_out must be a share of the data, from 0 to below 1, not 1.0"),
    ],
)
def test_impossible_plans_are_refused(plan, message):
    with pytest.raises(ValueError, match=message):
        train_space(circle(), plan=plan)
    with pytest.raises(ValueError, match="images of 7 x 7 cannot be cut into equal patches"):
        train_space(images(size=7), plan=Plan(network="patch"))


def test_held_out_examples_are_measured_and_not_trained_on(trained):
    assert trained.trained.sum() == 108
    terms = trained.fit.evaluate(circle()[~trained.trained])
    held_out = trained.report["held_out"]
    assert held_out["distortion"] == terms.distortion[0] and held_out["rate"] == terms.rate[0]
    assert held_out["num_examples"] == 12 and "anchor_distance" not in trained.report
    direct = fit(trained.fit.model, circle()[trained.trained], epochs=2, batch_size=32)
    assert np.array_equal(direct.encode(circle()), trained.fit.encode(circle()))


def test_everything_may_be_trained_on(trained):
    report = train_space(circle(), plan=QUICK._replace(held_out=0.0)).report
    assert (
        report["held_out"]["on"] == "training examples"
        and report["held_out"]["num_examples"] == 120
    )


def test_the_report_says_whether_the_points_were_reached(trained):
    points = distil_space(trained.fit, circle(), 9)
    assert reaching(trained.fit, points)["reached"]
    away = RosettaPoints(points.x, points.z + 9)
    report = train_space(circle(seed=1), points=away, plan=QUICK).report
    assert not report["reached"] and report["verdict"].startswith(
        "not reached: the points' inputs are "
    )
    assert reaching(trained.fit, None) == {}


def test_points_and_data_of_two_types_are_trained_on_as_floats():
    points = RosettaPoints(images(9).astype(np.float32) / 255, np.zeros((9, 2)))
    space = train_space(images(), points=points, plan=QUICK).fit
    assert np.array_equal(space.encode(images()), space.encode(images() / np.float32(255)))


def test_data_prepared_otherwise_are_refused(trained):
    points = distil_space(trained.fit, circle(), 9, header=dict(preprocessing=dict(rate=32000)))
    with pytest.raises(ValueError, match="points do not fit the data: .*rate: 32000 against 44100"):
        train_space(circle(), points=points, plan=QUICK, preprocessing=dict(rate=44100))
    with pytest.raises(ValueError, match="points do not fit the data: .*different scales"):
        train_space(100 * circle(), points=points, plan=QUICK)


def test_the_header_tells_how_the_space_was_trained(trained):
    points = distil_space(trained.fit, circle(), header=dict(licence="CC0"))
    assert len(points) == 30 and points.header["licence"] == "CC0"
    model = points.header["model"]
    assert (model["network"], model["beta"], model["epochs"]) == ("mlp", 1.0, 2)
    assert points.header["share"] == dict(inputs="as they are")
    assert np.allclose(points.z, trained.fit.encode(points.x)[0])


@pytest.mark.parametrize("kind", ["floats", "bytes"])
def test_decoded_inputs_are_shipped_in_place_of_the_originals_and_their_cost_is_told(trained, kind):
    x = circle() if kind == "floats" else images()
    space = trained.fit if kind == "floats" else train_space(x, plan=QUICK).fit
    plain, decoded = (distil_space(space, x, 12, share=share) for share in ("inputs", "decoded"))
    assert np.array_equal(plain.z, decoded.z) and decoded.x.dtype == plain.x.dtype
    assert set(decoded.ids) == {""} and not np.array_equal(plain.x, decoded.x)
    unit = 255.0 if kind == "bytes" else 1.0
    expected = (
        np.square((decoded.x.astype(float) - plain.x.astype(float)) / unit)
        .reshape(12, -1)
        .sum(1)
        .mean()
    )
    cost = decoded.header["share"]
    assert math.isclose(cost["squared_error"], expected, rel_tol=1e-5)
    moved = np.square((space.encode(decoded.x) - space.encode(plain.x))[0].numpy()).sum(1).mean()
    assert math.isclose(
        cost["moved_share"], moved / plain.z.astype(float).var(0).sum(), rel_tol=1e-4
    )


def test_a_multi_rate_space_is_distilled_at_one_beta():
    model = make_multirate(VAE.mlp(3, 2, (8,)))
    space = fit(model, circle(), epochs=1, batch_size=32, beta=LogUniform(0.01, 10.0))
    points = distil_space(space, circle(), 7, beta=0.5)
    assert points.header["model"]["beta"] == 0.5
    assert np.allclose(points.z, space.encode(points.x, beta=0.5)[0], atol=1e-5)


def test_an_unknown_way_to_share_is_refused(trained):
    with pytest.raises(ValueError, match="share must be one of inputs, decoded, not 'some'"):
        distil_space(trained.fit, circle(), share="some")


# ---------------------------------------------------------------- what is compared


def saved(tmp_path, trained):
    trained.fit.save(tmp_path / "fit.npz")
    np.save(tmp_path / "means.npy", trained.fit.encode(circle())[0].numpy())
    return dict(fit=tmp_path / "fit.npz", means=tmp_path / "means.npy")


def test_fits_and_arrays_become_spaces_of_the_same_data(tmp_path, trained):
    points = distil_space(trained.fit, circle(), 9)
    found = spaces.gather_spaces(saved(tmp_path, trained), x=circle(), points=points)
    assert np.allclose(found.means["fit"], found.means["means"]) and found.anchor_means is None
    assert np.array_equal(np.sort(points.x[:, 0]), np.sort(circle()[found.anchors][:, 0]))
    elsewhere = spaces.gather_spaces(
        dict(fit=tmp_path / "fit.npz"), x=circle(seed=5), points=points
    )
    assert elsewhere.anchors is None and np.allclose(
        elsewhere.anchor_means["fit"], points.z, atol=1e-6
    )


def test_every_replica_is_a_space_and_many_examples_are_drawn_from(tmp_path, monkeypatch):
    monkeypatch.setattr(spaces, "MOST_EXAMPLES", 50)
    fit(VAE.mlp(3, 2, (4,)), circle(), replicas=2, epochs=1, batch_size=32).save(
        tmp_path / "fit.npz"
    )
    found = spaces.gather_spaces(dict(two=tmp_path / "fit.npz"), x=circle())
    assert list(found.means) == ["two #0", "two #1"] and found.means["two #0"].shape == (50, 2)
    assert "50 of 120 examples were drawn at random" in found.notes
    points = RosettaPoints(circle()[[5, 7, 9]], np.zeros((3, 2)))
    with_points = spaces.gather_spaces(dict(two=tmp_path / "fit.npz"), x=circle(), points=points)
    assert np.array_equal(circle()[with_points.rows[with_points.anchors]], points.x)


def test_spaces_that_do_not_fit_are_refused(tmp_path, trained):
    sources = saved(tmp_path, trained)
    with pytest.raises(
        ValueError, match="fit is a model: pass the data that all spaces are to encode"
    ):
        spaces.gather_spaces(sources)
    with pytest.raises(
        ValueError, match=r"the numbers of examples differ \(means 120, the data 90\)"
    ):
        spaces.gather_spaces(sources, x=circle(90))
    points = RosettaPoints(circle(4, seed=9), np.zeros((4, 2)))
    with pytest.raises(
        ValueError, match="the points' inputs are not among the data, so encoded arrays have no"
    ):
        spaces.gather_spaces(sources, x=circle(), points=points)
    other = RosettaPoints(np.ones((4, 5)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="the points' inputs have shape"):
        spaces.gather_spaces(sources, x=circle(), points=other)


def test_the_books_own_points_fit_its_digits():
    points = RosettaPoints.load("book:digits")
    plan = complete(Plan(), data.load("digits").x, points)
    assert plan.latent_dim == points.z.shape[1] and plans.check_units(data.load("digits").x) > 0
