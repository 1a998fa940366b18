"""`fit`: the replica engine against a plain loop, its limits and identities, its two engines."""

import warnings

import numpy as np
import pytest
import reference
import torch
from toy import (
    BATCH_SIZE,
    BETA,
    EPOCHS,
    NUM_REPLICAS,
    RHO,
    SEEDS,
    assert_close,
    fit_quietly,
    long_fit,
    terms_of,
    toy_data,
    toy_fit,
    toy_model,
    toy_points,
)

from rvae_lite import VAE, RosettaPoints, alignment, checks, engine, fit, select_points
from rvae_lite.anchors import Weighted
from rvae_lite.fitted import Start


@pytest.fixture(scope="module")
def compiled():
    if not checks.compiler_available(torch.device("cpu")):
        pytest.skip("no C++ compiler")
    return toy_fit(compile=True)


@pytest.fixture(scope="module")
def singles():
    return [toy_fit(m) for m in range(NUM_REPLICAS)]


def train_reference(m):
    """Replica m by the reference implementation: (row of parameters, losses)."""
    x, points, layout = toy_data(), toy_points(), engine.Parameters(toy_model())
    plan = engine.Batches.of(len(x), BATCH_SIZE)
    orders = [plan.orders([SEEDS[m]], epoch)[:, 0] for epoch in range(EPOCHS)]
    noises = [plan.noises([SEEDS[m]], epoch, 2, torch.float64)[:, 0] for epoch in range(EPOCHS)]
    initial = layout.unflatten(engine.State.initial(toy_model(), [SEEDS[m]]).weights[0])
    anchors = torch.from_numpy(points.x).double(), torch.from_numpy(points.z).double()
    weights, losses = reference.train(
        initial, x, orders, noises, beta=BETA[m], rho=RHO[m], points=anchors
    )
    return torch.cat([weights[name].flatten() for name in layout.names]), losses


# One ensemble, ten trainings


def test_ten_replicas_equal_ten_single_trainings(eager, singles):
    assert_close(eager.weights, torch.cat([single.weights for single in singles]))
    for m, single in enumerate(singles):
        named = (
            slice(None) if RHO[m] else slice(3)
        )  # alone with rho = 0, nothing measures the anchors
        assert_close(terms_of(single)[:, named, 0], terms_of(eager)[:, named, m])
    moved = (eager.weights - engine.State.initial(toy_model(), SEEDS).weights).abs().amax(1)
    assert moved.min() > 1e-3  # every replica was trained at all


@pytest.mark.slow
def test_ten_compiled_replicas_equal_the_eager_ones_and_ten_single_trainings(
    compiled, eager, singles
):
    assert (compiled.info["engine"], eager.info["engine"]) == ("compiled", "eager")
    assert_close(compiled.weights, eager.weights)
    assert_close(compiled.weights, torch.cat([single.weights for single in singles]))
    assert_close(terms_of(compiled), terms_of(eager))


@pytest.mark.parametrize("m", range(NUM_REPLICAS))
def test_a_replica_equals_a_plain_loop_with_torchs_adam(eager, m):
    row, losses = train_reference(m)
    assert_close(eager.weights[m], row)
    assert_close(terms_of(eager)[:, 0, m], losses)


def test_a_replica_does_not_depend_on_its_neighbours(eager):
    kept, others = [1, 4], [8, 2, 9]
    changed = fit_quietly(
        toy_model(),
        toy_data(),
        replicas=5,
        beta=[BETA[m] for m in kept] + [0.7, 0.9, 30.0],
        rho=[RHO[m] for m in kept] + [0.0, 50.0, 1.0],
        seed=[SEEDS[m] for m in kept] + [900 + m for m in others],
        points=toy_points(),
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
    )
    assert_close(changed.weights[:2], eager.weights[kept])
    assert (changed.weights[2:] - eager.weights[others]).abs().amax(1).min() > 1e-3


def test_the_first_replicas_of_an_integer_seed_do_not_depend_on_how_many_there_are():
    assert engine.replica_seeds(7, 3) == engine.replica_seeds(7, 10)[:3]
    assert len(set(engine.replica_seeds(7, 100) + engine.replica_seeds(8, 100))) == 200
    few, many = (
        fit(toy_model(), toy_data(), replicas=m, epochs=2, batch_size=50, seed=7, compile=False)
        for m in (2, 4)
    )
    assert_close(few.weights, many.weights[:2])
    assert few.seeds == many.seeds[:2]


def test_the_same_seed_gives_the_same_bits():
    options = dict(replicas=3, epochs=2, batch_size=50)
    first, again, other = (
        fit(VAE.mlp(5, 2, (8,)), toy_data().float(), seed=seed, **options) for seed in (3, 3, 4)
    )
    assert torch.equal(first.weights, again.weights)
    assert np.array_equal(terms_of(first), terms_of(again))
    assert not torch.equal(first.weights, other.weights)


def test_the_pattern_is_left_alone():
    model = toy_model()
    before = {name: parameter.clone() for name, parameter in model.state_dict().items()}
    fit(model, toy_data(), epochs=1, batch_size=50, replicas=2)
    assert all(
        torch.equal(parameter, before[name]) for name, parameter in model.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.parameters())


def test_training_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    model = toy_model()
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()
    space = fit(model, toy_data(), epochs=1, batch_size=50, replicas=2)
    space.evaluate(toy_data())
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])
    torch.manual_seed(6)
    np.random.seed(6)
    assert torch.equal(
        fit(toy_model(), toy_data(), epochs=1, batch_size=50, replicas=2).weights, space.weights
    )


# Limits: rho = 0 is the VAE


def test_rho_0_for_all_replicas_is_the_vae_to_the_last_bit():
    anchored, plain = (
        fit(toy_model(), toy_data(), replicas=3, epochs=2, batch_size=25, **options)
        for options in (dict(points=toy_points(), rho=0.0), {})
    )
    assert torch.equal(anchored.weights, plain.weights)
    assert np.array_equal(terms_of(anchored), terms_of(plain))


def test_rho_0_in_a_mixed_ensemble_is_the_vae_to_rounding(eager):
    zero = [m for m in range(NUM_REPLICAS) if RHO[m] == 0]
    plain = fit(
        toy_model(),
        toy_data(),
        replicas=len(zero),
        beta=[BETA[m] for m in zero],
        seed=[SEEDS[m] for m in zero],
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
    )
    assert_close(plain.weights, eager.weights[zero])


def test_the_weights_of_the_two_anchor_terms_are_used():
    halves = [toy_fit(6, points=Weighted(toy_points(), x=x, z=z)) for x, z in ((1, 0), (0, 1))]
    both, none = toy_fit(6), toy_fit(6, points=Weighted(toy_points(), x=0, z=0))
    plain = fit(
        toy_model(), toy_data(), epochs=EPOCHS, batch_size=BATCH_SIZE, beta=BETA[6], seed=SEEDS[6:7]
    )
    assert_close(none.weights, plain.weights)
    rows = torch.cat([both.weights, none.weights, *(half.weights for half in halves)])
    assert torch.cdist(rows, rows).add(torch.eye(4)).min() > 1e-3
    anchor_x, anchor_z = terms_of(halves[0])[-1, 3:, 0], terms_of(halves[1])[-1, 3:, 0]
    assert anchor_x[0] < anchor_z[0]
    assert anchor_z[1] < anchor_x[1]


def test_bytes_equal_floats_divided_by_255():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 3, 3)).astype(np.uint8)
    latents = np.random.default_rng(1).standard_normal((6, 2))
    model = VAE.mlp((1, 3, 3), 2, (8,), value_range=(0.0, 1.0)).double()
    options = dict(replicas=2, epochs=2, batch_size=20, rho=1.0)
    as_bytes = fit_quietly(model, pixels, points=RosettaPoints(pixels[:6], latents), **options)
    scaled = torch.from_numpy(pixels).double() / 255
    # Points hold float32, so the floats are compared with points of bytes.
    as_floats = fit_quietly(model, scaled, points=RosettaPoints(pixels[:6], latents), **options)
    assert torch.equal(as_bytes.weights, as_floats.weights)
    assert torch.equal(as_bytes.encode(pixels), as_floats.encode(scaled))
    assert np.array_equal(as_bytes.evaluate(pixels), as_floats.evaluate(scaled))


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("posterior", ["full", "diagonal", "low_rank"])
def test_every_posterior_and_likelihood_trains(posterior, likelihood):
    x = (toy_data()[:, [0, 1, 0, 1, 0]] > 0).double()  # four patterns of five pixels
    model = toy_model(posterior=posterior, likelihood=likelihood)
    space = fit(model, x, replicas=2, epochs=30, batch_size=25, learning_rate=1e-2, beta=0.1)
    first, last = terms_of(space)[0], terms_of(space)[-1]
    assert (last[0] < 0.6 * first[0]).all()
    assert (last[2] > 0.5).all()  # the latents carry information


@pytest.mark.slow
def test_anchored_replicas_of_different_seeds_share_one_space():
    x = toy_data().float()
    options = dict(replicas=3, epochs=80, batch_size=25, learning_rate=1e-2, compile=False)
    template = fit(VAE.mlp(5, 2, (16,)), x, **options).select([0])
    points = select_points(x, template.encode(x)[0], 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # anchors that are reached give no warning
        anchored = fit(VAE.mlp(5, 2, (16,)), x, points=points, rho=15.0, seed=1, **options)
    assert (anchored.anchor_distance(points) < 0.1).all()
    plain = fit(VAE.mlp(5, 2, (16,)), x, seed=1, **options)
    shared, free = (
        alignment.retraining_variability(space.encode(x)) for space in (anchored, plain)
    )
    assert shared.relative < free.relative - 2
    assert shared.within_fraction < 0.1 < free.within_fraction


def test_anchors_that_are_not_reached_are_a_warning_that_names_the_replicas():
    options = dict(replicas=3, epochs=1, batch_size=50, points=toy_points(), rho=[0, 1e-3, 1e-3])
    with pytest.warns(
        RuntimeWarning, match=r"replicas \[1, 2\] did not reach the Rosetta points: .* raise"
    ) as caught:
        space = fit(toy_model(), toy_data(), **options)
    assert (space.anchor_distance(toy_points()) > 0.1).all()
    assert caught[0].filename == __file__


def test_fit_reports_its_batches():
    space = fit(toy_model(), toy_data(), epochs=1, batch_size=25)
    assert (space.info["num_data"], space.info["num_batches"], space.info["batch_size"]) == (
        97,
        4,
        24,
    )


# Engines


def test_training_in_blocks_changes_nothing(monkeypatch, eager):
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    monkeypatch.setattr(checks, "compiler_available", lambda device: True)
    monkeypatch.setattr(engine, "LARGEST_BLOCK", 4)
    in_blocks = toy_fit(compile=True)
    assert_close(in_blocks.weights, eager.weights)
    assert_close(terms_of(in_blocks), terms_of(eager))
    monkeypatch.setattr(engine, "LARGEST_EAGER_BLOCK", 3)
    assert_close(toy_fit(compile=False).weights, eager.weights)


@pytest.mark.slow
def test_many_models_can_be_compiled_in_one_process(monkeypatch):
    original = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **options: original(function, backend="eager", **options)
    )
    monkeypatch.setattr(checks, "compiler_available", lambda device: True)
    with torch._dynamo.config.patch(recompile_limit=1):
        for width in (3, 4, 5):
            space = fit(
                VAE.mlp(5, 2, (width,)),
                toy_data(),
                epochs=1,
                batch_size=97,
                replicas=2,
                compile=True,
            )
            assert space.info["engine"] == "compiled"


def test_without_a_compiler_training_is_eager(monkeypatch):
    monkeypatch.setattr(checks, "compiler_available", lambda device: False)
    monkeypatch.setattr(checks, "COMPILE_ABOVE", 0)
    assert (
        fit(toy_model(), toy_data(), epochs=1, batch_size=50, replicas=2).info["engine"] == "eager"
    )
    with pytest.raises(
        ValueError, match=r"compile=True needs a C\+\+ compiler .* leave compile='auto'"
    ):
        fit(toy_model(), toy_data(), epochs=1, batch_size=50, compile=True)


def test_a_compiler_that_fails_is_replaced_by_eager_training(monkeypatch, eager):
    def broken(function, **options):
        def step(*arguments):
            raise torch._dynamo.exc.TorchDynamoException("the compiler is broken")

        return step

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(checks, "compiler_available", lambda device: True)
    monkeypatch.setattr(checks, "COMPILE_ABOVE", 0)
    space = toy_fit(compile="auto")
    assert space.info["engine"] == "eager"
    assert torch.equal(space.weights, eager.weights)


def test_short_trainings_are_not_compiled(monkeypatch):
    monkeypatch.setattr(torch, "compile", None)  # calling it would fail
    assert fit(toy_model(), toy_data(), epochs=1, batch_size=50).info["engine"] == "eager"


def test_trainings_of_many_steps_or_of_large_data_are_compiled(monkeypatch):
    monkeypatch.setattr(checks, "compiler_available", lambda device: True)
    few = torch.zeros(5)
    for passes, num_batches, x, expected in (
        (9_999, 10, few, False),
        (10_000, 10, few, "auto"),
        (10**9 - 1, 0, few, False),
        (10**9, 0, few, "auto"),
    ):
        choice = ("auto", toy_model(), torch.device("cpu"), passes, num_batches, x)
        assert checks.choose_compiled(*choice) == expected


def test_a_training_starts_from_the_weights_that_it_is_given():
    first, options = toy_fit(3), dict(epochs=1, batch_size=97, replicas=2, compile=False)
    started = fit(toy_model(), toy_data(), start=first, **options)
    again = fit(toy_model(), toy_data(), start=Start(first), **options)
    assert torch.equal(started.weights, again.weights)
    moved = (started.weights - first.weights).abs().max()
    assert 0 < moved <= 1.001e-3  # one step of Adam
    rows = fit(toy_model(), toy_data(), start=toy_fit().select([3, 4]), **options)
    assert_close(rows.weights[0], started.weights[0])


def test_frozen_layers_stay_and_the_others_train():
    first = toy_fit(3)
    start = Start(first, ("encoder", "head"))
    options = dict(epochs=3, batch_size=25, replicas=3, compile=False)
    started = fit(toy_model(), toy_data(), start=start, **options)
    x = toy_data()
    assert torch.equal(started.encode(x), first.encode(x).expand(3, -1, -1))
    assert (started.decode(x[:, :2]) - first.decode(x[:, :2])).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (lambda: toy_fit().select([0, 1, 2]), "start has 3 replicas for 2: pass one, or one"),
        (
            lambda: fit(VAE.mlp(5, 3, (8, 8)), toy_data().float(), epochs=1, batch_size=50),
            "start is of another model: pass a Fit of the same network and K",
        ),
        (lambda: Start(None, ("encoder",)), "frozen layers need weights to start from: pass"),
        (lambda: "first.npz", "start must be a Fit, or a Start of one, not 'first.npz'"),
        (
            lambda: Start(toy_fit(3), ("decode",)),
            "frozen names 'decode': the model has encoder, .*, decoder",
        ),
    ],
)
def test_a_start_that_does_not_fit_is_refused(start, message):
    with pytest.raises(ValueError, match=message):
        fit(toy_model(), toy_data(), replicas=2, start=start(), epochs=1, batch_size=50)


def test_layers_with_running_statistics_cannot_be_frozen():
    model = VAE.cnn((1, 16, 16), 2, width=0.01)
    x = torch.rand(20, 1, 16, 16)
    first = fit(model, x, epochs=1, batch_size=10)
    with pytest.raises(ValueError, match="encoder keeps running statistics"):
        fit(model, x, epochs=1, batch_size=10, start=Start(first, ("encoder",)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu_equals_training_on_the_cpu(eager):
    on_gpu = toy_fit(device="cuda")
    assert on_gpu.info["device"] == "cuda"
    assert on_gpu.weights.device.type == "cpu"
    torch.testing.assert_close(on_gpu.weights, eager.weights, rtol=0, atol=1e-8)


def test_a_loss_that_is_not_finite_names_epoch_replica_beta_and_rho(tmp_path):
    with pytest.raises(FloatingPointError) as caught:
        long_fit(
            beta=[1.0, 1e39, 1.0],
            rho=[0.0, 2.75, 0.0],
            seed=[4, 5, 6],
            checkpoint=tmp_path / "checkpoint.npz",
        )
    message = "the loss is not finite in epoch 1, replica 1 (seed 5, beta 1e+39, rho 2.75): lower learning_rate"
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # no checkpoint of a training that failed


def test_a_loss_that_explodes_later_names_the_epoch():
    with pytest.raises(
        FloatingPointError,
        match=r"not finite in epoch 2, replica 0 .seed \d+, beta 1, rho 0.: lower",
    ):
        fit(VAE.mlp(5, 2, (8,)), toy_data().float(), epochs=9, batch_size=97, learning_rate=1e3)


def test_progress_shows_a_bar_only_when_asked(capsys):
    options = dict(epochs=2, batch_size=50)
    fit(toy_model(), toy_data(), **options)
    assert capsys.readouterr() == ("", "")
    fit(toy_model(), toy_data(), progress="my label", **options)
    assert "my label: 100%" in capsys.readouterr().err
    fit(toy_model(), toy_data(), progress=True, **options)
    assert "training: 100%" in capsys.readouterr().err
