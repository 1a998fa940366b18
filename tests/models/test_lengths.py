"""Batches of similar length: the same examples, the same losses, less padding."""

import numpy as np
import pytest
import torch

from rvae_lite import fit
from rvae_lite.engine import Batches
from rvae_lite.laws import LogUniform
from rvae_lite.models import build, lengths
from rvae_lite.models.lengths import Lengths, trim
from rvae_lite.multirate import make_multirate
from rvae_lite.text.model import TextVAE
from rvae_lite.text.vocabulary import END, PAD


def texts(count=60, longest=12, seed=0):
    """Random sentences of 1 to `longest` - 1 words, (N, T)."""
    random = np.random.default_rng(seed)
    tokens = np.full((count, longest), PAD)
    for row in tokens:
        words = random.integers(1, longest)
        row[:words], row[words] = random.integers(4, 9, size=words), END
    return torch.from_numpy(tokens)


def model_of(**options):
    sizes = dict(num_tokens=9, length=12, latent_dim=2, embedding_dim=4, hidden_dim=5)
    return TextVAE(**sizes, **options)


def test_an_epoch_holds_the_same_examples_in_batches_of_similar_length(monkeypatch):
    monkeypatch.setattr(lengths, "POOL", 5)
    x, plan = texts(60), Batches.of(60, 6)
    orders = plan.orders([3, 4], 0)
    found = Lengths(model_of(by_length=True), x).regroup(orders, 0)
    assert found.shape == orders.shape
    own = (x != PAD).sum(1)
    for replica in range(2):
        assert sorted(found[:, replica].flatten().tolist()) == list(range(60))
        spread = [own[batch].max() - own[batch].min() for batch in found[:, replica]]
        random = [own[batch].max() - own[batch].min() for batch in orders[:, replica]]
        assert sum(spread) < 0.5 * sum(random)
    alone = Lengths(model_of(by_length=True), x).regroup(plan.orders([4], 0), 0)
    assert torch.equal(found[:, 1:], alone)  # whatever the other replicas see


def test_a_model_that_does_not_ask_for_it_is_left_alone():
    x, orders = texts(60), Batches.of(60, 6).orders([3], 0)
    untouched = Lengths(model_of(), x)
    assert untouched.regroup(orders, 0) is orders
    assert untouched.take(x, orders[0], cut=True).shape == (1, 6, 12)


def test_padding_is_cut_where_shapes_may_differ():
    x, order = texts(60), torch.arange(60)[None]
    x[:, 7:] = PAD
    asked = Lengths(make_multirate(model_of(by_length=True)), x)
    assert torch.equal(asked.take(x, order, cut=True), x[None, :, :7])
    assert torch.equal(asked.take(x, order, cut=False), x[None])
    assert trim(x.numpy()).shape == (60, 7)


@pytest.mark.parametrize("gated", [False, True])
def test_training_without_padding_gives_the_same_weights(gated, monkeypatch):
    model = model_of(by_length=True, word_dropout=0.3).double()
    model, beta = (make_multirate(model), LogUniform(0.01, 10)) if gated else (model, 0.5)
    options = dict(epochs=2, batch_size=8, beta=beta, seed=[1, 2], replicas=2, compile=False)
    cut = fit(model, texts(), **options)
    alone = fit(model, texts(), **{**options, "seed": [2], "replicas": 1})
    monkeypatch.setattr(lengths, "trim", lambda tokens: tokens)
    whole = fit(model, texts(), **options)
    torch.testing.assert_close(cut.weights, whole.weights)
    torch.testing.assert_close(cut.weights[1:], alone.weights)


def test_the_choice_is_part_of_the_models_config():
    assert not build(model_of().config).by_length
    assert build(model_of(by_length=True).config).by_length
