"""Curves over beta and multi-rate models in a laboratory: distilled, trained into, compared and looked into."""

import json
import math

import numpy as np
import pytest

from rvae_lite import RosettaPoints, alignment
from rvae_lite.fitted import Fit
from rvae_lite.lab import inspecting
from rvae_lite.lab.comparing import compare_spaces, value_of, verdicts
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.outputs import in_words
from rvae_lite.lab.plan import Plan, beta_range_of, complete
from rvae_lite.lab.report import comparison_page
from rvae_lite.lab.spaces import distances_over_beta, gather_spaces, known_maps, split_beta
from rvae_lite.lab.training import reaching, train_space
from rvae_lite.multirate import is_multirate

QUICK = Plan(epochs=8, batch_size=32, learning_rate=1e-2)
MANY = QUICK._replace(beta_range=(0.01, 10.0))
BETAS = np.geomspace(0.01, 10, 10)


def circle(num_data=120, *, seed=0):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, num_data)
    return np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1).astype(np.float32)


@pytest.fixture(scope="module")
def template():
    return train_space(circle(), plan=MANY).fit


@pytest.fixture(scope="module")
def curves(template):
    return distil_space(template, circle(), 9)


def shrinking(scale=1.0):
    """Made-up curves that turn and shrink as beta grows."""
    rng = np.random.default_rng(1)
    start, turn = rng.standard_normal((9, 2)), np.linspace(0, 0.5, 10)
    turned = np.stack(
        [start @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in turn]
    )
    return RosettaPoints(
        circle(9), scale * turned * np.linspace(1, 0.2, 10)[:, None, None], betas=BETAS
    )


def test_a_multi_rate_space_is_distilled_into_curves(template, curves):
    assert (
        np.allclose(curves.betas, BETAS)
        and curves.z.shape == (10, 9, 2)
        and curves.recon.shape == (10, 9, 3)
    )
    assert np.allclose(curves.z[3], template.encode(curves.x, beta=BETAS[3])[0], atol=1e-6)
    model = curves.header["model"]
    assert (model["network"], model["beta_range"], "beta" in model) == ("mlp", [0.01, 10.0], False)
    assert len(distil_space(template, circle())) == 30


def test_decoded_curves_ship_the_reconstructions_of_the_lowest_beta_and_tell_the_cost(
    template, curves
):
    veiled = distil_space(template, circle(), 9, share="decoded")
    assert np.array_equal(veiled.x, curves.recon[0]) and np.array_equal(veiled.recon, curves.recon)
    assert np.array_equal(veiled.z, curves.z) and set(veiled.ids) == {""}
    cost, away = veiled.header["share"], []
    for beta, z in zip(curves.betas, curves.z.astype(float), strict=True):
        one, other = (
            template.encode(points.x, beta=beta)[0].numpy() for points in (curves, veiled)
        )
        away.append((np.square(one - other).sum(1).mean(), z.var(0).sum()))
    assert cost["decoded_at"] == 0.01
    assert np.allclose(cost["moved_shares"], [moved / spread for moved, spread in away], rtol=1e-3)
    assert math.isclose(cost["moved_share"], np.divide(*np.sum(away, 0)), rel_tol=1e-3)
    assert math.isclose(
        cost["squared_error"], np.square(veiled.x - curves.x).sum(1).mean(), rel_tol=1e-4
    )
    result = dict(
        num_points=9, latent_dim=2, points="a.npz", beta_range=[0.01, 10.0], training={}, notes=[]
    )
    said = in_words("distil", result | dict(share=cost))
    assert (
        "curves over beta from 0.01 to 10" in said
        and "decoded inputs (at beta 0.01) stand in place" in said
    )


def test_decoded_curves_of_bytes_are_bytes():
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8)).astype(np.uint8)
    veiled = distil_space(
        train_space(images, plan=MANY._replace(epochs=1)).fit, images, 5, share="decoded"
    )
    assert veiled.x.dtype == np.uint8
    assert np.array_equal(veiled.x, np.rint(255 * veiled.recon[0].clip(0, 1)).astype(np.uint8))


def test_a_plain_model_is_not_distilled_at_another_beta():
    plain = train_space(circle(), plan=QUICK).fit
    assert distil_space(plain, circle(), 5, beta=1.0).header["model"]["beta"] == 1.0
    with pytest.raises(
        ValueError, match="beta 0.5 was asked of a plain model, trained at 1: leave beta out"
    ):
        distil_space(plain, circle(), 5, beta=0.5)


def test_a_multi_rate_plan_takes_its_range_from_the_curves_and_twice_the_steps():
    x, narrow = circle(), RosettaPoints(circle(9), np.ones((2, 9, 2)), betas=[0.1, 3.0])
    assert beta_range_of(narrow) == (0.1, 3.0) and beta_range_of() == beta_range_of(
        narrow.at_beta(1)
    ) == (0.01, 10.0)
    plan = complete(Plan(beta_range=(0.1, 3.0)), x, narrow)
    assert plan.beta is None and plan.epochs == 2 * complete(Plan(), x).epochs and plan.rho == 2.75


def test_a_plain_model_is_held_by_the_curves_at_its_own_beta(curves):
    trained = train_space(circle(seed=1), points=curves, plan=QUICK._replace(beta=0.1))
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
        and "points not reached at " in said
    )


def test_a_beta_beyond_the_curves_and_plain_points_for_many_are_cautioned_against(curves):
    beyond = train_space(circle(), points=curves, plan=QUICK._replace(beta=20.0, epochs=1)).report[
        "cautions"
    ]
    assert beyond == [
        "the points are known for beta in [0.01, 10], asked for is 20: beyond, they stay as at the ends"
    ]
    plain = train_space(circle(), points=curves.at_beta(1.0), plan=MANY._replace(epochs=1)).report
    assert plain["cautions"][0].startswith(
        "the points are plain, so that the model is held to the same latents"
    )
    with pytest.raises(
        ValueError, match="beta must be positive, not 0, since the points are curves over beta"
    ):
        train_space(circle(), points=curves, plan=QUICK._replace(beta=0.0))


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


# ---------------------------------------------------------------- what is compared


def test_the_file_knows_the_map_between_two_betas():
    points, betas = shrinking(), dict(a=BETAS[0], b=BETAS[-1], c=BETAS[0])
    maps = known_maps(points, betas)
    assert np.allclose(maps["b", "a"](points.z[-1]), points.z[0], atol=1e-6)
    assert np.array_equal(maps["a", "c"](points.z[0]), points.z[0].astype(float))
    assert known_maps(points.at_beta(1.0), betas) == {}
    assert len(known_maps(points, dict(a=100.0, b=1.0))) == 2  # beyond the ends, without a warning


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


def test_the_pairs_may_have_a_bar(capsys):
    spaces = dict(a=circle(30), b=circle(30, seed=1))
    compare_spaces(spaces, num_anchors=5, progress="comparing")
    assert "comparing: 100%" in capsys.readouterr().err


@pytest.fixture(scope="module")
def folder(tmp_path_factory, template, curves):
    folder = tmp_path_factory.mktemp("fits")
    template.save(folder / "many.npz")
    train_space(circle(seed=1), points=curves, plan=QUICK._replace(beta=0.5)).fit.save(
        folder / "plain.npz"
    )
    np.save(folder / "means.npy", template.encode(circle(), beta=0.1)[0].numpy())
    curves.save(folder / "curves.npz")
    return folder


def test_models_and_arrays_are_read_at_their_betas(folder, template, curves):
    sources = dict(
        low=f"{folder}/many.npz@0.1", high=folder / "many.npz", plain=folder / "plain.npz"
    )
    sources["means"] = f"{folder}/means.npy@0.1"
    found = gather_spaces(sources, x=circle(), points=curves, beta=3.0)
    assert found.betas == dict(low=0.1, high=3.0, plain=0.5, means=0.1)
    assert np.allclose(found.means["low"], found.means["means"])
    assert np.array_equal(found.means["high"], template.encode(circle(), beta=3.0)[0])
    assert (
        "low: network mlp, beta 0.01 to 10, read at 0.1, 8 epochs, trained without points"
        in found.notes
    )
    assert "means was read from encoded means of beta 0.1" in found.notes
    assert set(found.over_beta) == {"high", "plain"}
    assert gather_spaces(dict(means=folder / "means.npy"), x=circle()).betas == {}


def test_distances_over_beta_are_those_at_each_beta(folder, template):
    other = train_space(circle(seed=1), plan=MANY._replace(beta_range=(0.1, 20.0), seed=1)).fit
    fits = dict(a=template, b=other, plain=Fit.load(folder / "plain.npz"))
    found = distances_over_beta(fits, circle())
    betas, shares = found["b"]
    assert np.allclose([betas[0], betas[-1]], [0.1, 10.0])
    target = template.encode(circle(), beta=betas[4])[0]
    distance = alignment.mean_squared_distance(other.encode(circle(), beta=betas[4])[0], target)
    assert math.isclose(shares[4], distance / alignment.total_variance(target))
    assert (
        found["plain"][0] == [0.5]
        and distances_over_beta(dict(plain=fits["plain"], a=template), circle()) == {}
    )


def test_a_beta_that_is_missing_or_wrong_is_one_sentence(folder):
    with pytest.raises(
        ValueError,
        match="many.npz is a multi-rate model: say at which beta to read it, as in .*@0.5",
    ):
        gather_spaces(dict(a=folder / "many.npz"), x=circle())
    with pytest.raises(
        ValueError,
        match="plain.npz is a plain model of beta 0.5: it cannot be read at 2, leave @2 out",
    ):
        gather_spaces(dict(a=f"{folder}/plain.npz@2"), x=circle())
    (folder / "a@2").touch()
    assert split_beta(folder / "a@2") == (str(folder / "a@2"), None)
    assert split_beta("a@b.npz") == ("a@b.npz", None) and split_beta("a.npz@0.1") == ("a.npz", 0.1)


# ---------------------------------------------------------------- what is in a file


def test_curves_and_multi_rate_models_are_described(folder, curves):
    opened = inspecting.open_file(folder / "curves.npz")
    described = json.loads(json.dumps(inspecting.describe(opened)))
    assert (
        described["beta_range"] == [0.01, 10.0]
        and described["reconstructions"]
        and described["num_betas"] == 10
    )
    spread = [math.sqrt(alignment.total_variance(z)) for z in curves.z]
    assert np.allclose(described["total_sd_at_betas"], spread)
    assert "latent_mean" not in described
    model = inspecting.describe(inspecting.open_file(folder / "many.npz"))
    assert model["beta_range"] == [0.01, 10.0] and "beta" not in model and model["latent_dim"] == 2


@pytest.mark.parametrize(
    ("shape", "num_latents"), [((3,), 1), ((3,), 4), ((1, 6, 6), 2), ((3, 6, 6), 2)]
)
@pytest.mark.parametrize("recon", [True, False])
def test_curves_are_drawn(tmp_path, shape, num_latents, recon):
    rng = np.random.default_rng(0)
    x, z = rng.uniform(size=(7, *shape)), rng.standard_normal((3, 7, num_latents))
    made = rng.uniform(size=(3, *x.shape)) if recon else None
    RosettaPoints(x, z, betas=[0.1, 1.0, 3.0], recon=made).save(tmp_path / "points.npz")
    inspecting.render(inspecting.open_file(tmp_path / "points.npz"), tmp_path / "drawn.html")
    page = (tmp_path / "drawn.html").read_text()
    assert page.count("<figure>") == 3 + recon and "curves over beta 0.1 to 3" in page
    assert ("decoder makes of them" in page) == recon


def test_a_picture_of_curves_has_every_panel(folder, tmp_path):
    inspecting.render(inspecting.open_file(folder / "curves.npz"), tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
