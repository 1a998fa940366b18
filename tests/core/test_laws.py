"""The course of the learning rate and of beta: against closed forms and a plain loop with torch's Adam."""

import numpy as np
import torch
from toy import assert_close, toy_data, toy_model

from rvae_lite import engine, fit
from rvae_lite.laws import anneal_factor, learning_rate_factor


def test_the_learning_rate_rises_over_the_warm_up_and_then_falls_along_a_cosine():
    steps = dict(num_steps=10, warmup_steps=2)
    assert [learning_rate_factor(step, **steps) for step in (1, 2, 3, 10)] == [0.5, 1, 1, 1]
    cosine = [learning_rate_factor(step, schedule="cosine", **steps) for step in (1, 2, 3, 7, 10)]
    np.testing.assert_allclose(cosine, [0.5, 1, 1, 0.5, (1 + np.cos(7 * np.pi / 8)) / 2])


def test_beta_rises_from_0_and_stays():
    assert [anneal_factor(step, num_steps=20, anneal=0.5) for step in (1, 6, 11, 20)] == [
        0,
        0.5,
        1,
        1,
    ]
    assert anneal_factor(1, num_steps=20, anneal=0.0) == 1


def test_a_constant_course_changes_no_bit():
    options = dict(epochs=2, batch_size=25, beta=0.7, compile=False)
    plain = fit(toy_model(), toy_data(), **options)
    said = fit(
        toy_model(),
        toy_data(),
        anneal=0.0,
        schedule="constant",
        warmup_epochs=0,
        per="batch",
        **options,
    )
    assert torch.equal(plain.rows, said.rows)


def loop(betas, learning_rates, *, epochs, batch_size):
    """A plain loop with torch's Adam over given betas and learning rates of every step: the row of parameters."""
    model, x, plan = toy_model(), toy_data(), engine.EpochPlan.of(97, batch_size)
    layout = engine.Parameters(model)
    model.load_state_dict(layout.unflatten(engine.initial_rows(model, [3])[0]), strict=False)
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
    return layout.row(model)


def test_annealing_raises_beta_in_a_line_over_its_share_of_the_steps():
    steps = np.arange(20)
    expected = loop(0.7 * np.minimum(1, steps / 6), np.full(20, 1e-3), epochs=5, batch_size=25)
    annealed = fit(toy_model(), toy_data(), epochs=5, batch_size=25, seed=[3], beta=0.7, anneal=0.3)
    assert_close(annealed.rows[0], expected)
    pair = fit(
        toy_model(),
        toy_data(),
        epochs=5,
        batch_size=25,
        seed=[2, 3],
        replicas=2,
        beta=[1.5, 0.7],
        anneal=0.3,
    )
    assert_close(pair.rows[1], expected)


def test_the_cosine_falls_to_0_after_the_warm_up():
    after = 0.5 * (1 + np.cos(np.pi * np.arange(16) / 16))
    rates = 1e-2 * np.concatenate([np.arange(1, 5) / 4, after])
    expected = loop(np.full(20, 0.7), rates, epochs=5, batch_size=25)
    options = dict(epochs=5, batch_size=25, seed=[3], beta=0.7, learning_rate=1e-2)
    warmed = fit(toy_model(), toy_data(), schedule="cosine", warmup_epochs=1, **options)
    assert_close(warmed.rows[0], expected)
