"""The course of the learning rate and of beta: against closed forms and a plain loop with torch's Adam."""

import numpy as np
import pytest
import torch
from toy import assert_close, toy_data, toy_model

from rvae_lite import engine, fit
from rvae_lite.laws import Annealed, Constant, Cosine, LogArcsine, LogPower, LogUniform, drawn_from
from rvae_lite.multirate import make_multirate


def test_the_learning_rate_rises_over_the_warm_up_and_then_falls_along_a_cosine():
    law, course = Cosine(1.0, warmup_epochs=1), dict(num_steps=10, steps_per_epoch=2)
    rates = [law.value * law.factor(step, **course) for step in (1, 2, 3, 7, 10)]
    np.testing.assert_allclose(rates, [0.5, 1, 1, 0.5, (1 + np.cos(7 * np.pi / 8)) / 2])


def test_beta_rises_from_0_and_stays():
    law, course = Annealed(1.0, share=0.5), dict(num_steps=20, steps_per_epoch=2)
    assert [law.factor(step, **course) for step in (1, 6, 11, 20)] == [0, 0.5, 1, 1]
    assert Annealed(1.0, share=0.0).factor(1, **course) == 1
    assert Constant(1.0).factor(1, **course) == 1


def test_draws_are_log_uniform():
    uniform = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    betas = LogUniform(0.01, 100.0).quantile(uniform)
    np.testing.assert_allclose(betas, [0.01, 1.0, 100.0])


def test_other_laws_draw_more_at_one_end_or_at_both():
    uniform = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    for law, low, high in (
        (LogPower(0.01, 10.0, power=2.0), 0.5**0.5, 0.25**0.5),
        (LogArcsine(0.01, 10.0), 0.5, 1 / 3),
    ):
        log_beta = (law.quantile(uniform).log() - np.log(0.01)) / np.log(1000)
        assert (log_beta.diff() >= 0).all()
        assert log_beta[0] == pytest.approx(0, abs=1e-12) and log_beta[-1] == pytest.approx(1)
        assert float((log_beta < 0.5).double().mean()) == pytest.approx(low, abs=1e-4)
        assert float((log_beta < 0.25).double().mean()) == pytest.approx(high, abs=1e-4)
    laws = [LogPower(0.01, 10), LogArcsine(0.01, 10, per="batch"), LogUniform(0.01, 10)]
    assert [repr(law) for law in laws] == [
        "LogPower(0.01, 10, 1.5)",
        "LogArcsine(0.01, 10, per=batch)",
        "LogUniform(0.01, 10)",
    ]


def test_an_annealed_law_draws_the_same_betas_and_weighs_the_rate_less_at_first():
    law = LogUniform(0.01, 10.0)
    assert drawn_from(Annealed(law)) is law and drawn_from(Annealed(1.0)) is None
    options = dict(epochs=2, batch_size=25, compile=False, seed=3)
    gated, x = make_multirate(toy_model()), toy_data()
    drawn = fit(gated, x, beta=law, **options)
    at_once = fit(gated, x, beta=Annealed(law, share=0.0), **options)
    slowly = fit(gated, x, beta=Annealed(law, share=1.0), **options)
    assert torch.equal(drawn.weights, at_once.weights)
    assert slowly.terms["rate"][-1, 0] > drawn.terms["rate"][-1, 0]
    assert "LogUniform(0.01, 10)" in slowly.info["beta"] and slowly.info["beta_range"] == [0.01, 10]


def test_a_constant_course_changes_no_bit():
    options = dict(epochs=2, batch_size=25, compile=False)
    plain = fit(toy_model(), toy_data(), beta=0.7, **options)
    said = fit(toy_model(), toy_data(), beta=Annealed(0.7, share=0.0), **options)
    assert torch.equal(plain.weights, said.weights)


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (
            lambda: LogUniform(0.01, 10, per="epoch"),
            "per must be 'example' or 'batch', not 'epoch'",
        ),
        (lambda: LogUniform(10, 0.01), r"positive, finite and ascending, not \[10, 0.01\]"),
        (lambda: LogUniform(0, 1), r"positive, finite and ascending, not \[0, 1\]"),
        (lambda: LogUniform("low", 1), "must be two numbers, lowest and highest, not"),
        (lambda: LogPower(0.01, 10, power=0.0), "power must be a positive number, not 0.0"),
        (lambda: LogPower(0.01, 10, power=True), "power must be a positive number, not True"),
        (lambda: Annealed(1.0, share=1.5), "share must be a share of the steps, .* not 1.5"),
        (lambda: Annealed(1.0, share=True), "share must be a share of the steps, .* not True"),
        (lambda: Cosine(0.0), "learning_rate must be a positive number, not 0.0"),
        (lambda: Cosine(1e-3, warmup_epochs=0.5), "warmup_epochs must be a whole number from 0 up"),
        (lambda: Cosine(1e-3, warmup_epochs=-1), "warmup_epochs must be a whole number from 0 up"),
    ],
)
def test_laws_with_bad_bounds_are_refused(law, message):
    with pytest.raises(ValueError, match=message):
        law()


def loop(betas, learning_rates, *, epochs, batch_size):
    """A plain loop with torch's Adam over given betas and learning rates of every step: the row of parameters."""
    model, x, plan = toy_model(), toy_data(), engine.Batches.of(97, batch_size)
    layout = engine.Parameters(model)
    model.load_state_dict(
        layout.unflatten(engine.State.initial(model, [3]).weights[0]), strict=False
    )
    optimiser, step = torch.optim.Adam(model.parameters()), 0
    for epoch in range(epochs):
        orders, noises = (
            plan.orders([3], epoch)[:, 0],
            plan.noises([3], epoch, 2, torch.float64)[:, 0],
        )
        for order, noise in zip(orders, noises, strict=True):
            optimiser.param_groups[0]["lr"] = learning_rates[step]
            posterior = model.encode(x[order])
            distortion = model.distortion(x[order], posterior.sample(noise)).mean()
            optimiser.zero_grad()
            (distortion + betas[step] * posterior.kl_divergence().mean()).backward()
            optimiser.step()
            step += 1
    return layout.flatten(model)


def test_annealing_raises_beta_in_a_line_over_its_share_of_the_steps():
    steps = np.arange(20)
    expected = loop(0.7 * np.minimum(1, steps / 6), np.full(20, 1e-3), epochs=5, batch_size=25)
    annealed = fit(toy_model(), toy_data(), epochs=5, batch_size=25, seed=[3], beta=Annealed(0.7))
    assert_close(annealed.weights[0], expected)
    pair = fit(
        toy_model(),
        toy_data(),
        epochs=5,
        batch_size=25,
        seed=[2, 3],
        replicas=2,
        beta=Annealed([1.5, 0.7]),
    )
    assert_close(pair.weights[1], expected)


def test_the_cosine_falls_to_0_after_the_warm_up():
    after = 0.5 * (1 + np.cos(np.pi * np.arange(16) / 16))
    rates = 1e-2 * np.concatenate([np.arange(1, 5) / 4, after])
    expected = loop(np.full(20, 0.7), rates, epochs=5, batch_size=25)
    options = dict(epochs=5, batch_size=25, seed=[3], beta=0.7)
    options["learning_rate"] = Cosine(1e-2, warmup_epochs=1)
    warmed = fit(toy_model(), toy_data(), **options)
    assert_close(warmed.weights[0], expected)


@pytest.mark.parametrize(
    ("model", "law", "message"),
    [
        (toy_model, Annealed(LogUniform(0.01, 10.0)), "is for multi-rate models"),
        (
            lambda: make_multirate(toy_model()),
            LogArcsine(0.1, 10.0),
            r"needs beta=LogUniform\(0.01",
        ),
        (
            lambda: make_multirate(toy_model()),
            Annealed(LogPower(0.01, 100.0)),
            r"needs beta=LogUniform\(0.01, 10\), its range",
        ),
        (lambda: make_multirate(toy_model()), Annealed(1.0), "its range, not Annealed"),
    ],
)
def test_a_law_that_does_not_fit_the_gates_is_refused(model, law, message):
    with pytest.raises(ValueError, match=message):
        fit(model(), toy_data(), beta=law, epochs=1, batch_size=25)
