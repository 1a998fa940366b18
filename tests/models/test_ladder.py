"""The hierarchical VAE: its divergences, its two paths, its gates, and its life as replicas."""

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.func import functional_call, vmap
from toy import terms_of

from rvae_lite import VAE, Fit, data, engine, fit
from rvae_lite.gates import Gate
from rvae_lite.laws import Annealed, Cosine
from rvae_lite.losses import bernoulli_nll
from rvae_lite.models.ladder import LadderVAE, ResidualNormal, rates_by_scale
from rvae_lite.multirate import LogUniform, build, make_multirate
from rvae_lite.objective import BETA_VAE, Batch, ReplicaLoss

BETAS = (0.01, 0.1, 1.0, 10.0)
SIZES = {
    1: dict(channels=(6,), latent_channels=(3,)),
    2: dict(channels=(6, 5), latent_channels=(3, 2)),
}
SIZES[3] = dict(channels=(6, 5, 4), latent_channels=(3, 2, 1))
every_depth = pytest.mark.parametrize("scales", SIZES)


def ladder(scales=2, *, spread=0.3, seed=0):
    """A ladder of 16x16 images in float64, its parameters spread enough for q and p to differ."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = LadderVAE((1, 16, 16), **SIZES[scales]).double()
    return scattered(model, spread=spread, seed=seed)


def scattered(model, *, spread=0.3, seed=0):
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn(parameter.shape, generator=random).to(parameter))
    return model


def images(count=7, seed=1):
    random = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 1, 16, 16, generator=random) < 0.4).double()


def noise_for(model, count=7, seed=2):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, model.noise_dim, generator=random, dtype=torch.float64)


def path_of(model, x, noise):
    """Every scale's q and p at sampled parents, and z, by a plain loop over the model's parts."""
    features, state, path, sampled = model.encoder(x), None, [], []
    for scale, piece in enumerate(model.split(noise)):
        prior = torch.zeros_like(piece), torch.zeros_like(piece)
        if scale:
            prior = model.prior[scale - 1](state).chunk(2, dim=1)
        seen = features[scale] if state is None else torch.cat([features[scale], state], dim=1)
        shift, log_ratio = model.posterior[scale](seen).chunk(2, dim=1)
        p = Normal(prior[0], (5 * torch.tanh(prior[1] / 5)).exp())
        q = Normal(p.loc + shift, p.scale * (5 * torch.tanh(log_ratio / 5)).exp())
        z = q.loc + q.scale * piece
        path.append((Independent(q, 3), Independent(p, 3)))
        sampled.append(z)
        state = model.decoder(z, state, scale)
    return path, sampled, state


def test_the_divergence_of_a_residual_normal_is_that_of_the_two_normals():
    random = torch.Generator().manual_seed(0)
    parts = torch.randn(4, 50, 3, 2, 2, generator=random, dtype=torch.float64)
    q = ResidualNormal(*parts)
    p = Independent(Normal(q.prior_mean, q.prior_log_scale.exp()), 3)
    expected = kl_divergence(Independent(Normal(q.mean, q.log_scale.exp()), 3), p)
    torch.testing.assert_close(q.kl_divergence(), expected)
    same = q._replace(shift=torch.zeros_like(q.shift), log_ratio=torch.zeros_like(q.log_ratio))
    assert (same.kl_divergence() == 0).all()


@every_depth
def test_distortion_and_rates_are_those_of_a_plain_loop(scales):
    model, x = ladder(scales), images()
    noise = noise_for(model)
    path, sampled, logits = path_of(model, x, noise)
    distortion, rates = model.distortion_and_rates(x, noise)
    torch.testing.assert_close(rates, torch.stack([kl_divergence(q, p) for q, p in path], dim=-1))
    torch.testing.assert_close(distortion, bernoulli_nll(x, logits))
    z = torch.cat([piece.flatten(1) for piece in sampled], dim=-1)
    torch.testing.assert_close(model.distortion(x, z), distortion)
    torch.testing.assert_close(model.decode(z), logits.sigmoid())
    both = model.distortion_and_rate(x, noise)
    torch.testing.assert_close(both, (distortion, rates.sum(-1)))
    assert (rates > 0).all()


@pytest.mark.slow
def test_the_rate_is_the_expected_log_ratio_of_posterior_and_prior():
    model, count = ladder(3), 4000
    x = images(1).expand(count, -1, -1, -1)
    noise = noise_for(model, count)
    path, sampled, _ = path_of(model, x, noise)
    ratio = sum(q.log_prob(z) - p.log_prob(z) for (q, p), z in zip(path, sampled, strict=True))
    difference = ratio - model.distortion_and_rate(x, noise)[1]
    assert abs(difference.mean()) < 4 * difference.std() / count**0.5


def test_one_scale_is_a_plain_vae_with_a_standard_normal_prior():
    model, x = ladder(1), images()
    noise, posterior = noise_for(model), model.encode(images())
    q = Normal(posterior.mean, posterior.log_scale.exp())
    distortion, rate = model.distortion_and_rate(x, noise)
    torch.testing.assert_close(rate, kl_divergence(q, Normal(0.0, 1.0)).sum(-1))
    torch.testing.assert_close(distortion, model.distortion(x, q.loc + q.scale * noise))


@every_depth
def test_latents_are_encoded_at_the_means_of_their_parents(scales):
    model, x = ladder(scales), images()
    posterior, parts = model.encode(x), path_of(model, x, torch.zeros(7, model.latent_dim).double())
    assert posterior.mean.shape == (7, model.latent_dim) == (7, model.noise_dim)
    torch.testing.assert_close(posterior.mean, torch.cat([z.flatten(1) for z in parts[1]], dim=-1))
    error = (x - model.decode(posterior.mean)).square().flatten(1).sum(1)
    torch.testing.assert_close(model.squared_error(x), error)


@every_depth
def test_samples_come_from_the_prior_of_every_scale(scales):
    model = ladder(scales)
    noise = noise_for(model, 3)
    pieces, state = model.split(noise), None
    assert [tuple(piece.shape[1:]) for piece in pieces] == model.latent_shapes
    for scale, z in enumerate(pieces):
        if scale:
            mean, log_scale = model.prior[scale - 1](state).chunk(2, dim=1)
            z = mean + (5 * torch.tanh(log_scale / 5)).exp() * z
        state = model.decoder(z, state, scale)
    drawn = model.sample(noise)
    assert drawn.shape == (3, 1, 16, 16) and drawn.min() > 0 and drawn.max() < 1
    torch.testing.assert_close(drawn, state.sigmoid())


def test_posteriors_that_equal_their_priors_have_no_rate_and_reconstruct_samples():
    model = ladder(3)
    with torch.no_grad():
        for head in model.posterior:
            for parameter in head[-1].parameters():
                parameter.zero_()
    noise, x = noise_for(model), images()
    distortion, rates = model.distortion_and_rates(x, noise)
    assert (rates == 0).all()
    drawn = model.sample(noise)
    expected = torch.nn.functional.binary_cross_entropy(drawn, x, reduction="none").sum((1, 2, 3))
    torch.testing.assert_close(
        distortion, expected, rtol=1e-4, atol=0
    )  # a probability near 1 has few digits left


def test_every_scale_reads_the_image_at_its_own_fineness():
    model, x = ladder(3), images()
    one = model.encoder(x)
    assert [tuple(features.shape[1:]) for features in one] == [(6, 2, 2), (5, 4, 4), (4, 8, 8)]
    assert model.latent_shapes == [(3, 2, 2), (2, 4, 4), (1, 8, 8)]
    other = model.encode(1 - x)
    shifts = [model.split(q.shift) for q in (model.encode(x), other)]
    assert all((a != b).flatten(1).any(1).all() for a, b in zip(*shifts, strict=True))


def test_finer_priors_depend_on_coarser_latents_and_not_the_other_way():
    model = ladder(3)
    z = torch.zeros(1, model.latent_dim, dtype=torch.float64, requires_grad=True)
    parts, state, priors = model.split(z), None, []
    for scale, piece in enumerate(parts):
        if scale:
            priors.append(model.prior[scale - 1](state))
        state = model.decoder(piece, state, scale)
    reached = [
        model.split(torch.autograd.grad(prior.sum(), z, retain_graph=True)[0]) for prior in priors
    ]
    assert [[bool(piece.any()) for piece in pieces] for pieces in reached] == [[1, 0, 0], [1, 1, 0]]


@every_depth
def test_the_gradient_reaches_every_parameter(scales):
    model = ladder(scales, spread=0.0).train()
    distortion, rate = model.distortion_and_rate(images(), noise_for(model))
    (distortion + rate).sum().backward()
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


def test_rates_by_scale_are_those_of_each_example_and_need_scales():
    model, x = ladder(3), images()
    noise = noise_for(model)
    rates = rates_by_scale(model, x, noise)
    assert rates.shape == (7, 3)
    assert torch.equal(rates.sum(-1), model.distortion_and_rate(x, noise)[1])
    flat = VAE.mlp((1, 16, 16), 2, (4,)).double()
    with pytest.raises(ValueError, match="rates_by_scale is for hierarchical models"):
        rates_by_scale(flat, x, noise[:, :2])


@every_depth
def test_a_gated_ladder_equals_the_plain_one_that_it_folds_into(scales):
    gated = make_multirate(ladder(scales, spread=0.0))
    for gate in (layer for layer in gated.modules() if isinstance(layer, Gate)):
        scattered(gate, spread=1.0)
    x, noise = images(), noise_for(gated)
    for beta in BETAS:
        plain = gated.at_beta(beta)
        assert isinstance(plain, LadderVAE)
        torch.testing.assert_close(tuple(gated.encode(x, beta)), tuple(plain.encode(x)))
        torch.testing.assert_close(gated.decode(noise, beta), plain.decode(noise))
        with gated.responding(gated.h(beta)) as model:
            torch.testing.assert_close(
                model.distortion_and_rate(x, noise), plain.distortion_and_rate(x, noise)
            )
            torch.testing.assert_close(model.sample(noise), plain.sample(noise))
    each = gated.decode(noise, torch.tensor([0.01] * 3 + [1.0] * 4))
    torch.testing.assert_close(each[:3], gated.at_beta(0.01).decode(noise[:3]))
    torch.testing.assert_close(each[3:], gated.at_beta(1.0).decode(noise[3:]))


def test_many_replicas_at_once_equal_each_alone():
    model, x = ladder(3), images()
    seeds, layout = [3, 1, 4], engine.Parameters(model)
    weights, noise = engine.State.initial(model, seeds).weights, noise_for(model)

    loss_of = ReplicaLoss(model, BETA_VAE, num_data=len(x))
    batch = Batch(x, noise, torch.tensor(0.5), torch.tensor(0.5), torch.tensor(0.0), None)

    def terms(weights):
        named = {f"model.{name}": value for name, value in layout.unflatten(weights).items()}
        return functional_call(loss_of, named, (batch,))

    loss, together = vmap(terms)(weights)
    for m in range(3):
        alone = terms(weights[m])
        torch.testing.assert_close((loss[m], together[m]), alone)


SMALL = dict(channels=(6, 4), latent_channels=(2, 1))
SHORT = dict(epochs=2, batch_size=20, learning_rate=3e-3)


@pytest.fixture(scope="module")
def x():
    return data.load("binary_digits").x[:60]


@pytest.fixture(scope="module")
def plain(x):
    return fit(LadderVAE((1, 8, 8), **SMALL), x, replicas=2, beta=[0.1, 1.0], seed=[5, 6], **SHORT)


@pytest.fixture(scope="module")
def gated(x):
    return fit(
        make_multirate(LadderVAE((1, 8, 8), **SMALL)),
        x,
        beta=LogUniform(0.01, 10),
        seed=[5],
        **SHORT,
    )


def test_a_replica_trains_as_it_would_alone(x, plain):
    alone = fit(LadderVAE((1, 8, 8), **SMALL), x, beta=1.0, seed=[6], **SHORT)
    torch.testing.assert_close(plain.weights[1:], alone.weights)
    assert terms_of(plain)[-1, 0].sum() < terms_of(plain)[0, 0].sum()


def test_annealing_and_cosine_train_a_ladder(x):
    courses = dict(beta=Annealed(1.0, share=0.5), learning_rate=Cosine(SHORT["learning_rate"]))
    annealed = fit(LadderVAE((1, 8, 8), **SMALL), x, **SHORT | courses)
    assert terms_of(annealed)[-1, 1] < terms_of(annealed)[0, 1]


def test_a_ladder_is_saved_and_loaded(x, plain, gated, tmp_path):
    plain.save(tmp_path / "plain.npz")
    loaded = Fit.load(tmp_path / "plain.npz")
    assert isinstance(loaded.model, LadderVAE) and loaded.model.config == plain.model.config
    assert torch.equal(loaded.encode(x), plain.encode(x))
    gated.save(tmp_path / "gated.npz")
    again = Fit.load(tmp_path / "gated.npz")
    assert torch.equal(again.reconstruct(x, beta=0.3), gated.reconstruct(x, beta=0.3))


def test_a_checkpoint_of_another_tilt_is_refused(x, tmp_path):
    options = dict(beta=LogUniform(0.01, 10), checkpoint=tmp_path / "kept.npz", **SHORT)
    fit(make_multirate(LadderVAE((1, 8, 8), **SMALL), tilt=2.0), x, **options)
    with pytest.raises(ValueError, match=r"another model \(tilt\): delete it"):
        fit(make_multirate(LadderVAE((1, 8, 8), **SMALL)), x, **options)


def test_a_trained_ladder_folds_to_one_beta(x, gated):
    for beta in BETAS:
        folded = gated.at_beta(beta)
        torch.testing.assert_close(folded.encode(x), gated.encode(x, beta=beta), rtol=0, atol=1e-5)
        torch.testing.assert_close(
            folded.reconstruct(x), gated.reconstruct(x, beta=beta), rtol=0, atol=1e-5
        )
        assert folded.evaluate(x).rate == pytest.approx(gated.evaluate(x, beta=beta).rate, rel=1e-5)


def test_the_rates_of_the_scales_sum_to_the_rate(x, plain, gated):
    rates = plain.measure(rates_by_scale, x)
    assert rates.shape == (2, 2) and (rates >= 0).all()
    assert rates.sum(1) == pytest.approx(plain.evaluate(x).rate)
    rates = gated.measure(rates_by_scale, x, beta=0.5)
    assert rates.sum(1) == pytest.approx(gated.evaluate(x, beta=0.5).rate)


def test_a_fit_draws_from_its_models_priors(x, plain, gated):
    noise = torch.randn(5, plain.model.latent_dim, generator=torch.Generator().manual_seed(0))
    drawn = plain.sample(noise)
    assert drawn.shape == (2, 5, 1, 8, 8)
    torch.testing.assert_close(drawn[1], plain.replica(1).sample(noise).detach())
    torch.testing.assert_close(
        gated.sample(noise, beta=0.5), gated.at_beta(0.5).sample(noise), rtol=0, atol=1e-5
    )


def test_the_prior_of_a_plain_vae_needs_no_map(x):
    flat = fit(VAE.mlp((1, 8, 8), 3, (8,), likelihood="bernoulli"), x, **SHORT)
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(flat.sample(noise), flat.decode(noise))


def test_a_config_builds_the_model_again():
    model = LadderVAE((3, 16, 8), channels=(5, 4, 3), latent_channels=(3, 2, 1), cells=2)
    for one in (model, make_multirate(model, gate="film")):
        again = build(one.config)
        assert again.config == one.config
        shapes = [[(name, p.shape) for name, p in m.named_parameters()] for m in (one, again)]
        assert shapes[0] == shapes[1]


def test_gates_leave_the_priors_and_the_layers_that_read_latents_alone():
    model = LadderVAE((1, 8, 8), **SMALL)
    gated = set(make_multirate(model).config["layers"])
    assert gated == set(model.layers_to_gate())
    kinds = {name: type(layer).__name__ for name, layer in model.named_modules() if name in gated}
    assert set(kinds.values()) == {"Conv2d", "ConvTranspose2d"} and len(gated) == 15
    assert {"posterior.0.2", "posterior.1.2"} < gated
    assert not [
        name for name in gated if name.startswith(("prior", "decoder.merge", "decoder.grow.1"))
    ]
    encoder, decoder = (
        make_multirate(model).module.get_submodule(n)
        for n in ("encoder.stages.0.0", "decoder.grow.0")
    )
    assert (encoder.gate.kind, decoder.gate.kind) == ("sigmoid", "sqrt")


def test_a_closed_posterior_gate_is_a_scale_that_says_nothing():
    gated = make_multirate(ladder(2))
    with torch.no_grad():
        gated.module.posterior[1][-1].gate.bias.fill_(-1e9)
    with gated.responding(gated.h(1.0)) as model:
        rates = model.distortion_and_rates(images(), noise_for(gated))[1]
    assert (rates[:, 0] > 0).all() and (rates[:, 1] == 0).all()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (
            (1, 14, 14),
            {},
            r"data_shape \(1, 14, 14\) must divide by 4 in height and width "
            r"for 2 scales: crop or pad",
        ),
        (
            (1, 28, 28),
            SIZES[3],
            r"must divide by 8 in height and width for 3 scales: crop or pad the images, or take",
        ),
        ((28, 28), {}, r"data_shape must be \(channels, height, width\), not \(28, 28\)"),
        (
            (1, 8, 8),
            dict(channels=()),
            r"channels must be positive, one number per scale and one scale at least, not",
        ),
        (
            (1, 8, 8),
            dict(channels=(8, 0)),
            r"channels must be positive, one number per scale .* not \(8, 0\)",
        ),
        (
            (1, 8, 8),
            dict(latent_channels=(4, 2, 1)),
            r"latent_channels must be positive, one number for each of the 2 scales "
            r"of channels, not \(4, 2, 1\)",
        ),
        (
            (1, 8, 8),
            dict(latent_channels=(4, 0)),
            r"latent_channels must be positive, .* not \(4, 0\)",
        ),
        ((1, 8, 8), dict(cells=0), "cells must be a positive integer, not 0"),
    ],
)
def test_impossible_ladders_are_refused(shape, options, message):
    with pytest.raises(ValueError, match=message):
        LadderVAE(shape, **options)


def test_a_fit_refuses_rates_of_scales_that_are_not_there_and_noise_that_does_not_fit(x, plain):
    flat = fit(VAE.mlp((1, 8, 8), 3, (8,), likelihood="bernoulli"), x, **SHORT)
    with pytest.raises(
        ValueError,
        match="rates_by_scale is for hierarchical models, such as LadderVAE: use evaluate",
    ):
        flat.measure(rates_by_scale, x)
    with pytest.raises(ValueError, match=r"noise must be \(N, 24\), not \(5, 3\)"):
        plain.sample(torch.zeros(5, 3))


def test_images_that_do_not_fit_a_ladder_are_refused(x, plain):
    with pytest.raises(
        ValueError, match=r"x must be \(N, 1, 8, 8\) for this model, not \(60, 1, 4, 8\)"
    ):
        plain.encode(x[:, :, :4])
