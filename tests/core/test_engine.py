"""The replica engine's parts: initialisation, data orders, noise, blocks."""

import pytest
import torch
from torch import nn
from toy import toy_data, toy_model

from rvae_lite import VAE, checks, engine, fit


def test_replicas_start_from_pytorchs_own_initialisation_and_differ():
    model = toy_model()
    rows = engine.State.initial(model, [1, 2]).weights
    for row in rows:
        weights = engine.Parameters(model).unflatten(row)
        bound = 5**-0.5  # nn.Linear draws uniformly within 1 / sqrt(fan in)
        assert 0.8 * bound < weights["encoder.1.weight"].abs().max() <= bound
    assert not torch.equal(*rows)


@pytest.mark.parametrize(
    ("num_data", "batch_size"),
    [(2, 1), (97, 25), (100, 25), (97, 96), (97, 97), (97, 1000), (97, 1)],
)
def test_an_epoch_is_cut_into_equal_batches_that_leave_out_fewer_examples_than_there_are_batches(
    num_data, batch_size
):
    plan = engine.Batches.of(num_data, batch_size)
    used = plan.num_batches * plan.batch_size
    assert 1 <= plan.batch_size <= batch_size
    assert 0 <= num_data - used < plan.num_batches
    orders = plan.orders([3, 4], epoch=0)
    assert orders.shape == (plan.num_batches, 2, plan.batch_size)
    for m in range(2):
        seen = orders[:, m].flatten().tolist()
        assert len(set(seen)) == len(seen) == used
        assert set(seen) <= set(range(num_data))


def test_every_example_is_seen_within_a_few_epochs():
    plan = engine.Batches.of(97, 25)  # one of the 97 sits out each epoch
    left_out = [
        set(range(97)) - set(plan.orders([3], epoch).flatten().tolist()) for epoch in range(4)
    ]
    assert [len(out) for out in left_out] == [1, 1, 1, 1]
    assert set.intersection(*left_out) == set()


def test_orders_and_noise_depend_on_seed_and_epoch_alone():
    plan = engine.Batches.of(40, 10)
    together, alone = plan.orders([5, 6], 2), plan.orders([6], 2)
    assert torch.equal(together[:, 1], alone[:, 0])
    assert not torch.equal(together[:, 0], together[:, 1])
    assert not torch.equal(alone, plan.orders([6], 3))
    noise, noise_alone = (plan.noises(seeds, 2, 3, torch.float64) for seeds in ([5, 6], [6]))
    assert noise.shape == (4, 2, 10, 3)
    assert torch.equal(noise[:, 1], noise_alone[:, 0])
    assert not torch.equal(noise_alone, plan.noises([6], 3, 3, torch.float64))


def test_noise_is_standard_normal():
    noise = engine.Batches.of(4000, 100).noises([1, 2], 0, 3, torch.float64).flatten()
    assert abs(noise.mean()) < 5 / len(noise) ** 0.5
    assert abs(noise.var() - 1) < 5 * (2 / len(noise)) ** 0.5


@pytest.mark.parametrize(
    ("replicas", "largest"),
    [(1, 20), (20, 20), (21, 20), (40, 20), (23, 20), (50, 20), (7, 3), (7, 1)],
)
def test_blocks_cover_the_replicas_in_order_and_none_is_too_large(replicas, largest):
    cut = engine.blocks(replicas, largest)
    assert [m for block in cut for m in range(block.start, block.stop)] == list(range(replicas))
    assert max(block.stop - block.start for block in cut) <= largest


def test_a_compiler_is_looked_for_where_cxx_says(monkeypatch, tmp_path):
    compiler = tmp_path / "my-compiler"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not checks.compiler_available(torch.device("cpu"))
    monkeypatch.setenv("CXX", "my-compiler")
    assert checks.compiler_available(torch.device("cpu"))


def test_layers_that_cannot_be_initialised_again_are_refused_by_name():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(4))

        def forward(self, x):
            return x + self.shift

    encoder = nn.Sequential(nn.Linear(5, 4), Shift())
    model = VAE(encoder, nn.Linear(2, 5), data_shape=(5,), feature_dim=4, latent_dim=2)
    with pytest.raises(
        ValueError, match=r"layer 'encoder.1' \(Shift\) needs a reset_parameters\(\) method"
    ):
        fit(model.double(), toy_data(), epochs=1, batch_size=50)
