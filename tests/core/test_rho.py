"""Gates that respond to log rho as well as log beta: read off at one rho, trained over all, refusals."""

import numpy as np
import pytest
import torch
from toy import assert_close, fit_quietly, toy_data, toy_model, toy_points

from rvae_lite import VAE, Fit, engine
from rvae_lite.anchors import Anchoring
from rvae_lite.gates import standardise
from rvae_lite.multirate import LogUniform, make_multirate, responding

LAW, RHO_LAW = LogUniform(0.01, 10.0), LogUniform(0.1, 100.0)
RANGE = (0.1, 100.0)


def responsive():
    """A small multi-rate network in float64 whose gates have moved."""
    gated, random = make_multirate(toy_model(), rho_range=RANGE), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in gated.named_parameters():
            if ".gate." in name:
                parameter.add_(
                    0.3 * torch.randn(parameter.shape, generator=random, dtype=parameter.dtype)
                )
    return gated


def trained(model=None, **options):
    settings = dict(
        replicas=2, seed=[3, 4], rho=RHO_LAW, epochs=2, batch_size=25, beta=LAW, compile=False
    )
    settings |= dict(points=toy_points()) | options
    return fit_quietly(
        make_multirate(toy_model(), rho_range=RANGE) if model is None else model,
        toy_data(),
        **settings,
    )


def test_at_one_rho_the_model_is_an_ordinary_multi_rate_one():
    gated, x, beta = responsive(), toy_data(), torch.logspace(-2, 1, 97, dtype=torch.float64)
    answers = []
    for rho in (0.1, 3.0, 100.0):
        plain = gated.at_rho(rho)
        r = standardise(torch.tensor(rho, dtype=torch.float64), RANGE)
        with responding(gated, standardise(beta, (0.01, 10.0)), r) as module:
            assert_close(plain.encode(x, beta).mean, module.encode(x).mean)
        folded = plain.at_beta(0.5)
        assert_close(folded.encode(x).mean, plain.encode(x, 0.5).mean)
        assert not any("rho" in name for name, _ in plain.named_parameters())
        answers.append(folded.encode(x).mean)
    assert (answers[0] - answers[2]).abs().max() > 1e-3
    assert any(
        "rho_weight" in name for name, _ in gated.named_parameters()
    )  # the original is left alone


def test_at_first_the_response_to_rho_is_flat():
    gated, x = make_multirate(toy_model(), rho_range=RANGE), toy_data()
    low, high = (gated.at_rho(rho).encode(x, 1.0).mean for rho in RANGE)
    assert_close(low, high)


def test_what_belongs_to_a_rho_is_divided_by_one_plus_rho():
    points, gated = toy_points(), responsive()
    like, plan = next(gated.parameters()), engine.EpochPlan.of(97, 25)
    options = dict(
        like=like,
        x_weight=0.5,
        z_weight=2.0,
        beta=torch.full((2,), torch.nan),
        law=LAW,
        rho_law=RHO_LAW,
    )
    anchors = list(Anchoring(points, **options).of_epoch(plan, [3, 4], 1, slice(0, 2)))[2].of(1)
    rhos = plan.drawn(RHO_LAW, [3, 4], 1, purpose=engine.ANCHOR_RHO, count=6)[2, 1]
    assert_close(anchors.weight, rhos / (1 + rhos))
    assert_close(anchors.r, standardise(rhos, RANGE))
    x, noise, beta = (
        toy_data()[:20],
        torch.zeros(20, 2, dtype=torch.float64),
        torch.ones(20, dtype=torch.float64),
    )
    objective, rho = engine.Objective(gated), torch.linspace(0.1, 100, 20, dtype=torch.float64)
    with torch.no_grad():
        loss, bare = (objective(x, noise, beta, rho, each)[0] for each in (anchors, None))
        at = standardise(beta, (0.01, 10.0)), standardise(rho, RANGE)
        with responding(gated, *at) as module:
            distortion, rate = module.distortion_and_rate(x, noise)
        torch.testing.assert_close(bare, ((distortion + rate) / (1 + rho)).mean())
        with responding(gated, anchors.h, anchors.r) as module:
            z, inputs = torch.from_numpy(points.z).double(), torch.from_numpy(points.x).double()
            x_term = (inputs - module.decode(z)).square().sum(1)
            z_term = (z - module.encode(inputs).mean).square().sum(1)
    torch.testing.assert_close(
        loss - bare, (rhos / (1 + rhos) * (0.5 * x_term + 2 * z_term)).mean()
    )


@pytest.mark.parametrize("per", ["example", "batch"])
def test_replicas_together_equal_replicas_alone(per):
    together, alone = trained(per=per), trained(per=per, replicas=1, seed=[4])
    assert_close(together.rows[1], alone.rows[0])
    assert np.isnan(together.rho).all() and together.info["rho_range"] == [0.1, 100.0]


def test_compiled_equals_eager():
    if not engine.compiler_available(torch.device("cpu")):
        pytest.skip("no C++ compiler")
    assert_close(trained(compile=True).rows, trained().rows)


def test_a_saved_fit_is_read_off_as_before(tmp_path):
    space, path = trained(), tmp_path / "fit.npz"
    space.save(path)
    read, x = Fit.load(path), toy_data()
    at = read.at_rho(3.0)
    assert_close(at.encode(x, beta=0.3), space.at_rho(3.0).encode(x, beta=0.3))
    assert_close(
        at.encode(x, beta=0.3)[1], space.replica(1).at_rho(3.0).encode(x, 0.3).mean.detach()
    )
    assert at.rho.tolist() == [3.0, 3.0]
    at.save(path)
    assert_close(Fit.load(path).encode(x, beta=0.3), at.encode(x, beta=0.3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: make_multirate(toy_model(), rho_range=(1, 0)),
            "the range of rho must be positive, finite and ascend",
        ),
        (
            lambda: make_multirate(toy_model(), rho_range=RANGE, gate="film"),
            "rho_range is for models with sigmoid and",
        ),
        (lambda: make_multirate(VAE.linear(5, 2), rho_range=RANGE), "not for FiLM or a linear VAE"),
        (
            lambda: responsive().encode(toy_data(), 1.0),
            "this model responds to rho too: take at_rho",
        ),
        (lambda: responsive().at_beta(1.0), "this model responds to rho too: take at_rho"),
        (
            lambda: responsive().at_rho(1000.0),
            r"rho must be a number in \[0.1, 100\], the range of training, not 1000",
        ),
        (
            lambda: make_multirate(toy_model()).at_rho(1.0),
            "the gates do not respond to rho: build the model with make",
        ),
        (
            lambda: trained(rho=1.0),
            r"this model responds to rho: pass rho=LogUniform\(0.1, 100\), its range, not 1.0",
        ),
        (
            lambda: trained(make_multirate(toy_model())),
            r"rho=LogUniform\(0.1, 100\) is for models that respond to rho",
        ),
        (
            lambda: trained(rho_power=1.0),
            "rho_power is for models that do not respond to rho: leave it 0",
        ),
        (lambda: trained(points=None), "rho is positive but there are no points"),
        (
            lambda: trained(epochs=1).encode(toy_data(), beta=1.0),
            "this model responds to rho too: take at_rho",
        ),
        (
            lambda: trained(toy_model(), beta=1.0, rho=1.0).at_rho(1.0),
            "at_rho is for models that respond to rho",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
