"""Trainings of a laboratory's own data: what they hold out, measure and say of the points."""

import json
import math

import numpy as np
import pytest
from workbench import LONGER, MANY, QUICK, circle, images

from rvae_lite import RosettaPoints, fit
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.outputs import in_words
from rvae_lite.lab.plan import Plan
from rvae_lite.lab.training import reaching, train_space
from rvae_lite.multirate import is_multirate


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            1e6 * circle(),
            r"root mean square is 8\d*, too far"
            r"|root mean square is .*e\+05, too far from 1 .* such as",
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


def test_a_plain_model_is_held_by_the_curves_at_its_own_beta(curves):
    trained = train_space(circle(seed=1), points=curves, plan=LONGER._replace(beta=0.1))
    expected = trained.fit.anchor_distance(curves.at_beta(0.1))[0]
    assert (
        math.isclose(trained.report["anchor_distance"], expected)
        and trained.report["cautions"] == []
    )
    assert "reached at beta 0.1: the points' inputs" in trained.report["verdict"]
    assert "over_beta" not in trained.report


def test_a_multi_rate_model_is_held_by_the_curves_at_every_beta_and_measured_over_beta(curves):
    trained = train_space(circle(seed=1), points=curves, plan=MANY)
    report, rows = json.loads(json.dumps(trained.report)), trained.report["over_beta"]
    assert is_multirate(trained.fit.model) and len(rows) == 7
    held_out = circle(seed=1)[~trained.trained]
    for row in rows:
        losses = trained.fit.evaluate(held_out, beta=row["beta"])
        assert (row["distortion"], row["rate"]) == (losses.distortion[0], losses.rate[0])
        assert row["anchor_distance"] == trained.fit.anchor_distance(curves, beta=row["beta"])[0]
    assert math.isclose(report["held_out"]["beta"], 1.0)
    assert report["anchor_distance"] == max(row["anchor_distance"] for row in rows)
    said = in_words("train", trained.report | dict(notes=[]))
    assert (
        "beta 0.01 to 10, rho 2.75" in said
        and "\n  0.0316  distortion " in said
        and "on their latents (up to " in said
    )


def test_a_beta_beyond_the_curves_and_plain_points_for_many_are_cautioned_against(curves):
    beyond = train_space(circle(), points=curves, plan=LONGER._replace(beta=20.0, epochs=1)).report[
        "cautions"
    ]
    assert beyond[0] == (
        "the points are known for beta in [0.01, 10], asked for is 20: "
        "beyond, they stay as at the ends"
    )
    plain = train_space(circle(), points=curves.at_beta(1.0), plan=MANY._replace(epochs=1)).report
    assert plain["cautions"][0].startswith(
        "the points are plain, so that the model is held to the same latents"
    )
    with pytest.raises(
        ValueError, match="beta must be positive, not 0, since the points are curves over beta"
    ):
        train_space(circle(), points=curves, plan=LONGER._replace(beta=0.0))


def test_what_was_reached_is_said_by_beta(template, curves):
    own = reaching(template, curves)
    assert (
        own["reached"]
        and own["verdict"].startswith("reached at every beta: ")
        and own["anchor_distance"] < 0.01
    )
    moved = curves.z.copy()
    moved[-1] += 9
    some = reaching(template, RosettaPoints(curves.x, moved, betas=curves.betas))
    assert not some["reached"] and some["verdict"].startswith(
        "not reached at beta 10: the points' inputs are up to"
    )
    gone = reaching(template, RosettaPoints(curves.x, 0 * curves.z, betas=curves.betas))
    assert gone["reached"] is None and gone["anchor_distance"] is None
    assert gone["verdict"].startswith("with nothing to reach: there their latents have collapsed")


def test_the_verdict_speaks_of_the_points_alone():
    points = RosettaPoints(circle(30), circle(30)[:, :2])
    plan = LONGER._replace(epochs=120)
    honest = train_space(circle(seed=1), points=points, plan=plan).report
    assert honest["cautions"] == []
    assert honest["verdict"].startswith("reached: the points' inputs land on their latents (")
    said = "they were trained on, and compare tells where other examples lie"
    assert honest["verdict"].endswith(said)
    changed = train_space(circle(seed=1) + 3, points=points, plan=plan).report
    assert changed["cautions"][0].startswith("3 of 3 features differ, most of all column ")
    assert changed["verdict"].endswith("; mind the warnings") or not changed["reached"]


def test_bytes_that_are_masks_or_counts_are_cautioned_against():
    chances = np.linspace(0.1, 0.9, 64).reshape(1, 1, 8, 8)
    masks = (np.random.default_rng(0).random((200, 1, 8, 8)) < chances).astype(np.uint8)
    plan = QUICK._replace(network="mlp", likelihood="bernoulli")
    report = train_space(masks, plan=plan).report
    first, second = report["cautions"]
    assert first == "uint8 values reach only 1 of 255: pass value_scale=1 (--value-scale 1)"
    assert second.startswith("the model explains nothing (its squared error is ")
    assert second.endswith(" times the variance): train longer, or check the values' scale")
    told = dict(points="p.npz", num_points=9, latent_dim=2, model="m.npz", share={}, notes=[])
    told["covering"] = dict(median=0.1, q95=0.2, radius=0.3)
    assert f"\nwarning: {first}\nwarning: {second}\n" in in_words(
        "distil", dict(told, training=report)
    )
    for largest, cautions in ((16, 1), (25, 1), (26, 0), (255, 0)):
        found = train_space(largest * masks, plan=QUICK._replace(network="mlp")).report["cautions"]
        assert sum("uint8 values reach only" in text for text in found) == cautions
    assert not any(
        "uint8" in text for text in train_space(masks / 1.0, plan=plan).report["cautions"]
    )


def test_a_report_tells_what_the_points_cover(trained):
    points = distil_space(trained.fit, circle(), 9)
    report = train_space(circle(seed=1), points=points, plan=QUICK).report
    covering = points.check(circle(seed=1)).covering
    assert report["covering"]["share"] == covering.share and json.dumps(report["covering"])
    assert report["covering"]["uncovered"] == len(covering.uncovered)
    said = in_words("train", report | dict(notes=[]))
    assert said.count("covering: ") == 1 and f"\n{covering}\npoints " in said
    assert "covering" not in train_space(circle(), plan=QUICK).report
