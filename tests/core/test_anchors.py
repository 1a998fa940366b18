"""Rosetta points over beta: curves and their files, anchored multi-rate training, and the linear VAE's exact curve."""

import numpy as np
import pytest
import torch
from toy import assert_close, batch_loss, fit_quietly, terms_of, toy_data, toy_model, toy_points

from rvae_lite import (
    VAE,
    RosettaPoints,
    curve_points,
    data,
    engine,
    fit,
    linear_vae,
    rosetta,
    select_points,
)
from rvae_lite.anchors import Anchoring, Weighted
from rvae_lite.gates import standardise
from rvae_lite.laws import Cosine
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.objective import BETA_VAE, Anchors, ReplicaLoss

LAW = LogUniform(0.01, 10.0)
BY_BATCH = LogUniform(0.01, 10.0, per="batch")
BETAS = np.geomspace(0.01, 10.0, 4)


def curved(*, recon=True, betas=BETAS):
    """Six curves of the toy data that shrink with beta, with reconstructions that shrink too."""
    plain, factors = toy_points(), 1 / (1 + np.asarray(betas))
    z = factors[:, None, None] * plain.z
    return RosettaPoints(
        plain.x,
        z,
        betas=betas,
        recon=factors[:, None, None] * plain.x if recon else None,
        ids=list("abcdef"),
    )


def trained(**options):
    """Three replicas of a small multi-rate network in float64, one of them not anchored."""
    settings = dict(
        replicas=3,
        seed=[3, 4, 5],
        rho=[1.0, 0.0, 2.5],
        epochs=2,
        batch_size=25,
        beta=LAW,
        compile=False,
    )
    settings |= dict(points=curved()) | options
    return fit_quietly(make_multirate(toy_model()), toy_data(), **settings)


# Curves and their files


def test_a_curve_is_read_off_linearly_in_log_beta():
    points = curved()
    for beta in (0.01, 0.03, 0.1, 1.7, 10.0):
        for values, read in ((points.z, points.z_at(beta)), (points.recon, points.recon_at(beta))):
            flat = values.reshape(len(BETAS), -1)
            expected = [np.interp(np.log(beta), np.log(BETAS), column) for column in flat.T]
            np.testing.assert_allclose(read.ravel(), expected, atol=1e-6)
    assert all(
        np.array_equal(points.z_at(beta), z) for beta, z in zip(BETAS, points.z, strict=True)
    )
    each = np.geomspace(0.01, 10.0, 6)
    rows = [points.z_at(beta)[r] for r, beta in enumerate(each)]
    np.testing.assert_allclose(points.z_at(each), rows, atol=1e-7)


@pytest.mark.slow
def test_beyond_its_ends_a_curve_stays_and_a_warning_says_so():
    points = curved()
    with pytest.warns(
        UserWarning,
        match=r"known for beta in \[0.01, 10\], asked for is 20: beyond, they stay as at",
    ):
        assert np.array_equal(points.z_at(20.0), points.z[-1])
    with pytest.warns(UserWarning, match=r"known for beta in \[0.1, 10\], asked for is 0.01 to 10"):
        trained(points=curved(betas=np.geomspace(0.1, 10, 3)), epochs=1)


def test_plain_points_are_the_same_at_every_beta():
    points = toy_points()
    assert points.z_at(0.3) is points.z and points.at_beta(0.3) is points
    with pytest.raises(
        ValueError,
        match=r"these points hold no reconstructions: distil them again, by curve_points or",
    ):
        points.recon_at(0.3)


def test_curves_at_one_beta_are_plain_points_that_name_it():
    plain = curved().at_beta(0.5)
    assert plain.z.shape == (6, 2) and plain.betas is None
    assert np.array_equal(plain.recon, curved().recon_at(0.5))
    assert curved(recon=False).at_beta(0.5).recon is None
    assert plain.header["beta"] == 0.5 and "beta_range" not in plain.header
    assert plain.ids.tolist() == list("abcdef")


@pytest.mark.parametrize("recon", [True, False])
def test_curves_are_saved_as_version_2_and_loaded_to_the_last_bit(tmp_path, recon):
    points = curved(recon=recon)
    points.save(tmp_path / "points.npz")
    loaded = RosettaPoints.load(tmp_path / "points.npz")
    assert loaded.header == points.header
    assert loaded.header["schema_version"] == 2
    assert loaded.header["beta_range"] == [0.01, 10.0] and loaded.header["num_betas"] == 4
    assert repr(loaded) == "RosettaPoints(6 points, data (5,), K = 2, beta 0.01 to 10)"
    for name in ("x", "z", "betas", "ids") + (("recon",) if recon else ()):
        assert getattr(loaded, name).tobytes() == getattr(points, name).tobytes()
    assert recon or loaded.recon is None


def test_plain_points_with_reconstructions_are_saved_as_version_3(tmp_path):
    points = curved().at_beta(1.0)
    points.save(tmp_path / "points.npz")
    loaded = RosettaPoints.load(tmp_path / "points.npz")
    assert loaded.header == points.header and loaded.header["schema_version"] == 3
    for name in ("x", "z", "ids", "recon"):
        assert getattr(loaded, name).tobytes() == getattr(points, name).tobytes()


def test_the_decoder_is_drawn_to_the_reconstructions_or_to_the_inputs():
    points = curved().at_beta(1.0)
    bare = RosettaPoints(points.x, points.z, ids=points.ids)
    options = dict(replicas=2, epochs=2, batch_size=25, rho=3.0, compile=False)
    met = (Weighted(points, target="input"), bare, points)
    as_paper, without, drawn = (
        fit_quietly(toy_model(), toy_data(), points=each, **options) for each in met
    )
    assert torch.equal(as_paper.weights, without.weights)
    at_first = dict(options, epochs=1, batch_size=97)  # one step: its terms are of the start
    towards_inputs, towards_recon = (
        fit_quietly(toy_model(), toy_data(), points=each, **at_first).terms["anchor_x"][0]
        for each in (bare, points)
    )
    moved = RosettaPoints(points.recon, points.z)
    by_hand = fit_quietly(toy_model(), toy_data(), points=moved, **at_first).terms["anchor_x"][0]
    np.testing.assert_allclose(towards_recon, by_hand)
    assert (np.abs(towards_inputs - towards_recon) > 1e-3).all()
    assert not torch.equal(drawn.weights, without.weights)


def test_a_template_is_at_rest_under_its_own_points_whatever_their_noise():
    # The reason for reconstructions: at the template, their half of the Rosetta term has no slope.
    template = fit(toy_model(), toy_data(), epochs=1, batch_size=25)
    points = select_points(
        toy_data(), template.encode(toy_data())[0], 6, decode=template.decode, method="random"
    )
    for target, at_rest in ((points.recon, True), (points.x, False)):
        model = template.replica(0)
        like = next(model.parameters())
        tensors = [torch.as_tensor(values).to(like) for values in (points.x, points.z, target)]
        loss = ReplicaLoss(model, BETA_VAE, num_data=1)
        sum(loss.rosetta_terms(Anchors(*tensors[:2], target=tensors[2]))).backward()
        slopes = [each.grad.abs().max() for each in model.parameters() if each.grad is not None]
        assert (float(max(slopes)) < 1e-4) == at_rest


@pytest.mark.parametrize("shape", [(5,), (2, 6, 5), (6, 4)])
def test_a_decoder_of_other_shapes_is_refused(shape):
    x = np.zeros((9, 5), dtype=np.float32)
    with pytest.raises(ValueError, match=r"decode must give \(6, 5\), not .*: pass the decoder of"):
        select_points(x, x[:, :2], 6, decode=lambda z: np.zeros(shape), method="random")


def test_plain_points_are_written_for_readers_that_know_no_curves(tmp_path, monkeypatch):
    curved().save(tmp_path / "curves.npz")
    curved(recon=False).at_beta(1.0).save(tmp_path / "plain.npz")
    monkeypatch.setattr(rosetta, "SCHEMA_VERSION", 1)
    assert RosettaPoints.load(tmp_path / "plain.npz").header["schema_version"] == 1
    with pytest.raises(
        ValueError, match="has schema version 2, this rvae_lite reads up to 1: upgrade rvae_lite"
    ):
        RosettaPoints.load(tmp_path / "curves.npz")


@pytest.mark.parametrize(
    ("version", "names", "message"),
    [
        (1, ["x", "z", "ids", "recon"], "instead of ids, x and z"),
        (2, ["x", "z", "ids"], "instead of betas, ids, x and z"),
    ],
)
def test_files_that_hold_other_arrays_than_their_version_says_are_refused(
    tmp_path, version, names, message
):
    arrays = {name: getattr(curved(), name) for name in names}
    rosetta.save_arrays(
        tmp_path / "points.npz", kind="rosetta", version=version, header={}, arrays=arrays
    )
    with pytest.raises(ValueError, match=message):
        RosettaPoints.load(tmp_path / "points.npz")


X, Z = np.zeros((6, 5)), np.zeros((4, 6, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RosettaPoints(X, Z), r"points need x \(R, \*data\) and z \(R, K\) of one length"),
        (lambda: RosettaPoints(X, Z[0], recon=X[:, :4]), r"recon must be \(R, \*data\) = \(6, 5\), not \(6, 4\)"),
        (lambda: RosettaPoints(X, Z, betas=[1.0]), r"betas must be at least two positive ascending .*, not \[1.0\]"),
        (lambda: RosettaPoints(X, Z, betas=[1, 3, 2, 4]), "betas must be at least two positive ascending numbers"),
        (lambda: RosettaPoints(X, Z, betas=[0, 1, 2, 3]), "betas must be at least two positive ascending numbers"),
        (lambda: RosettaPoints(X, Z, betas=[1, 2, 3]), r"z \(J, R, K\) = \(3, 6, K\), not \(6, 5\) and \(4, 6, 2\)"),
        (lambda: RosettaPoints(X, Z, betas=BETAS, recon=X), r"recon must be .* = \(4, 6, 5\), not \(6, 5\)"),
        (lambda: RosettaPoints(X, Z, betas=BETAS, recon=np.full((4, 6, 5), np.nan)), "points hold NaN or infinite"),
        (lambda: curved().z_at([1.0, 2.0]), r"beta must be a positive number or one per point \(6\), not \[1"),
        (lambda: curved().z_at(0.0), "beta must be a positive number"),
        (lambda: curve_points(None, X, 3), "curves need a multi-rate Fit"),
    ],
)  # fmt: skip
def test_impossible_curves_are_refused(call, message, monkeypatch, eager):
    if "Fit" in message:

        def call():
            return curve_points(eager, toy_data(), 3)

    with pytest.raises(ValueError, match=message):
        call()


def test_curves_are_distilled_from_a_multi_rate_fit():
    x, names = toy_data(), [f"datum {i}" for i in range(97)]
    space = trained(rho=0.0, points=None)
    points = curve_points(space, x, 7, replica=1, ids=names, header=dict(licence="CC0"), seed=2)
    assert (
        points.z.shape == (10, 7, 2)
        and points.recon.shape == (10, 7, 5)
        and points.header["licence"] == "CC0"
    )
    np.testing.assert_allclose(points.betas, np.geomspace(0.01, 10, 10))
    chosen = [names.index(name) for name in points.ids]
    np.testing.assert_allclose(points.x, x[chosen], atol=1e-6)
    for beta, z, recon in zip(points.betas, points.z, points.recon, strict=True):
        plain = space.at_beta(beta).select([1])
        np.testing.assert_allclose(z, plain.encode(points.x)[0], atol=1e-6)
        np.testing.assert_allclose(recon, plain.reconstruct(points.x)[0], atol=1e-6)
        assert plain.anchor_distance(points)[0] < 1e-12
    features = [space.encode(x, beta=beta)[1] for beta in (0.01, 0.1**0.5, 10.0)]
    features = torch.cat([f / f.var(0, correction=0).sum().sqrt() for f in features], 1)
    assert points.ids.tolist() == select_points(x, features, 7, seed=2, ids=names).ids.tolist()


# Training


@pytest.mark.parametrize("per", ["example", "batch"])
@pytest.mark.parametrize(
    "points", [curved(), curved(recon=False), toy_points()], ids=["curves", "no recon", "plain"]
)
def test_anchored_multi_rate_replicas_together_equal_replicas_alone(per, points):
    law = LogUniform(0.01, 10.0, per=per)
    options = dict(beta=law, points=Weighted(points, power=0.5))
    together, alone = trained(**options), trained(**options, replicas=1, seed=[5], rho=2.5)
    assert_close(together.weights[2], alone.weights[0])
    assert_close(terms_of(together)[:, :, 2], terms_of(alone)[:, :, 0])
    unanchored = trained(beta=law, points=None, rho=0.0)
    assert_close(together.weights[1], unanchored.weights[1])
    assert (together.weights[2] - unanchored.weights[2]).abs().max() > 1e-3


@pytest.mark.slow
def test_compiled_anchored_multi_rate_replicas_equal_the_eager_ones(traced):
    compiled = trained(compile=True, points=Weighted(curved(), power=0.5))
    assert compiled.info["engine"] == "compiled"
    assert_close(compiled.weights, trained(points=Weighted(curved(), power=0.5)).weights)


def test_the_rosetta_term_meets_every_point_at_a_beta_of_its_own():
    points, gated = curved(), make_multirate(toy_model())
    plan, weighted = engine.Batches.of(97, 25), Weighted(points, x=0.5, z=2.0, power=0.3)
    nowhere = torch.full((2,), torch.nan)
    anchoring = Anchoring(weighted, gated, torch.device("cpu"), beta=nowhere, law=LAW)
    betas = plan.draw(LAW, [3, 4], 1, engine.ANCHOR_RATE, 6)
    steps = list(anchoring.of_epoch(plan, [3, 4], 1, slice(0, 2)))
    assert len(steps) == plan.num_batches and betas.shape == (plan.num_batches, 2, 6)
    anchors, beta = engine.pick(steps[2], anchoring.axes(), 1), betas[2, 1]
    assert_close(anchors.h, standardise(beta, (0.01, 10.0)))
    x, noise = toy_data()[:20], torch.zeros(20, 2, dtype=torch.float64)
    with torch.no_grad():
        loss, terms = batch_loss(gated, x, noise, torch.ones(20), torch.tensor(3.0), anchors)
        bare, _ = batch_loss(gated, x, noise, torch.ones(20), torch.tensor(0.0), None)
        z, target = (
            torch.from_numpy(read(beta)).double() for read in (points.z_at, points.recon_at)
        )
        x_term = (target - gated.decode(z, beta)).square().sum(1)
        z_term = (z - gated.encode(torch.from_numpy(points.x).double(), beta).mean).square().sum(1)
    weight = beta**-0.3 / float(
        torch.logspace(-2, 1, 100_001, dtype=torch.float64).pow(-0.3).mean()
    )
    torch.testing.assert_close(anchors.weight, weight, rtol=1e-4, atol=0)
    weight = anchors.weight
    torch.testing.assert_close(
        terms[3:], torch.stack([(weight * x_term).mean(), (weight * z_term).mean()])
    )
    torch.testing.assert_close(loss - bare, 3 * (weight * (0.5 * x_term + 2 * z_term)).mean())


def test_anchors_are_drawn_log_uniformly_from_a_stream_of_their_own():
    plan = engine.Batches.of(1000, 10)
    drawn = plan.draw(LAW, [3, 4], 0, engine.ANCHOR_RATE, 20)
    logs = drawn.log10()
    assert -2 <= float(logs.min()) < -1.99 and 0.99 < float(logs.max()) <= 1
    assert abs(float(logs.mean()) + 0.5) < 4 * 3 / (12 * logs.numel()) ** 0.5
    assert not torch.equal(drawn[:, :, :10], plan.draw(LAW, [3, 4], 0, engine.RATE, 10))
    assert plan.draw(BY_BATCH, [3, 4], 0, engine.ANCHOR_RATE, 20).shape == (100, 2)


def test_a_model_of_one_beta_is_anchored_to_the_curves_at_its_beta():
    options = dict(replicas=2, seed=[3, 4], epochs=2, batch_size=25, rho=2.0, compile=False)
    points = curved(recon=False)
    together = fit_quietly(toy_model(), toy_data(), beta=[0.1, 2.0], points=points, **options)
    for m, beta in enumerate((0.1, 2.0)):
        alone = dict(options, replicas=1, seed=[3 + m], beta=beta, points=points.at_beta(beta))
        single = fit_quietly(toy_model(), toy_data(), **alone).weights[0]
        torch.testing.assert_close(
            together.weights[m], single, rtol=0, atol=1e-7
        )  # latents at beta come in float32
    distance = [
        together.select([m]).anchor_distance(points.at_beta(b))[0] for m, b in enumerate((0.1, 2.0))
    ]
    np.testing.assert_allclose(together.anchor_distance(points), distance)


def test_a_checkpoint_of_other_curves_is_refused(tmp_path):
    path, points = tmp_path / "checkpoint.npz", curved()
    trained(checkpoint=path, epochs=1)
    assert_close(trained(checkpoint=path).weights, trained().weights)
    moved = RosettaPoints(points.x, points.z, betas=points.betas, recon=points.recon + 1)
    others = {"points": moved, "weights of the points": Weighted(points, power=0.5)}
    for name, other in others.items():
        with pytest.raises(
            ValueError, match=f"belongs to a training with another {name}: delete it"
        ):
            trained(checkpoint=path, points=other)


@pytest.mark.slow
def test_anchored_multi_rate_runs_share_one_space_at_every_beta():
    x = toy_data().float()
    options = dict(beta=LAW, batch_size=32, learning_rate=Cosine(2e-2))
    gated = make_multirate(VAE.mlp(5, 2, (16,), noise_variance=0.01))
    template = fit(gated, x, epochs=100, **options)
    points = curve_points(template, x, 24)
    runs = fit_quietly(
        gated, x, epochs=100, replicas=2, seed=9, rho=[5.0, 0.0], points=points, **options
    )
    for beta in (0.02, 0.3, 2.0):
        distance = runs.anchor_distance(points, beta=beta)
        assert distance[0] < 0.05 < distance[1]


def test_curves_that_are_not_reached_are_a_warning():
    with pytest.warns(RuntimeWarning, match=r"replicas \[0, 2\] did not reach the Rosetta points"):
        fit(make_multirate(toy_model()), toy_data(), points=curved(), rho=[1.0, 0.0, 1.0], replicas=3, beta=LAW,
            epochs=1, batch_size=25)  # fmt: skip


# The exact oracle


def test_the_exact_curve_is_what_the_optimum_encodes_and_decodes():
    x = torch.from_numpy(data.load("digits").x).double().flatten(1)
    mean, covariance = x.mean(0), torch.cov(x.T, correction=0)
    options, betas = dict(latent_dim=6, noise_variance=0.1), [0.01, 1.0, 20.0, 1e5]
    z, recon = linear_vae.anchor_curve(covariance, x[:9], betas=betas, mean=mean, **options)
    assert z.shape == (4, 9, 6) and recon.shape == (4, 9, 64)
    for j, beta in enumerate(betas):
        best = linear_vae.optimum(covariance, beta=beta, **options)
        torch.testing.assert_close(z[j], (x[:9] - mean) @ best.encoder.T)
        torch.testing.assert_close(recon[j], mean + z[j] @ best.decoder.T)
    assert not z[3].any() and bool((z.square().sum((1, 2)).diff() <= 0).all())
    torch.testing.assert_close(
        linear_vae.anchor_curve(covariance, x[:9] - mean, betas=betas, **options)[0], z
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Weighted(None, x=2.0), "Weighted weighs RosettaPoints, not None: pass points, or"),
        (
            lambda: Weighted(toy_points(), target="recon"),
            r"target must be one of \[None, 'input', 'rec",
        ),
        (
            lambda: Weighted(toy_points(), target="reconstruction"),
            "these points hold no reconstructions: distil them with select_points",
        ),
        (lambda: Weighted(toy_points(), x=-1.0), "Weighted's x must be finite and not negative"),
        (
            lambda: Weighted(toy_points(), z=float("nan")),
            "Weighted's z must be finite and not negative",
        ),
        (
            lambda: Weighted(toy_points(), power=float("nan")),
            "power must be a finite number, not nan",
        ),
    ],
)
def test_impossible_weights_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_curves_refuse_a_model_of_beta_0_before_it_is_trained():
    options = dict(epochs=1, batch_size=50, beta=[0.0, 1.0], replicas=2, rho=1.0, points=curved())
    with pytest.raises(ValueError, match="points over beta hold no model of beta 0: pass plain"):
        fit(toy_model(), toy_data(), **options)
