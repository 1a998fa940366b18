"""Spaces are distilled into points whose header tells how they were made and what they cost."""

import math

import numpy as np
import pytest
from workbench import BETAS, LONGER, MANY, QUICK, circle, images

from rvae_lite import VAE, fit
from rvae_lite.coverage import covering
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.outputs import in_words
from rvae_lite.lab.training import train_space
from rvae_lite.multirate import LogUniform, make_multirate


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
    said = in_words("distil", result | dict(share=cost, covering=veiled.header["covering"]))
    assert (
        "curves over beta from 0.01 to 10" in said
        and "decoded inputs (at beta 0.01) stand in place" in said
    )
    assert veiled.header["covering"] == covering(circle(), veiled.x)
    assert "\ncovering: half of the examples lie within " in said


def test_decoded_curves_of_bytes_are_bytes():
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8)).astype(np.uint8)
    veiled = distil_space(
        train_space(images, plan=MANY._replace(epochs=1)).fit, images, 5, share="decoded"
    )
    assert veiled.x.dtype == np.uint8
    assert np.array_equal(veiled.x, np.rint(255 * veiled.recon[0].clip(0, 1)).astype(np.uint8))


def test_a_plain_model_is_not_distilled_at_another_beta():
    plain = train_space(circle(), plan=LONGER).fit
    assert distil_space(plain, circle(), 5, beta=1.0).header["model"]["beta"] == 1.0
    with pytest.raises(
        ValueError, match="beta 0.5 was asked of a plain model, trained at 1: leave beta out"
    ):
        distil_space(plain, circle(), 5, beta=0.5)
