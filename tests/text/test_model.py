"""The LSTM and the VAE of sentences: PyTorch's own LSTM, sums by hand, and the whole engine."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from rvae_lite import Fit, RosettaPoints, data, fit
from rvae_lite.multirate import LogUniform, build, make_multirate
from rvae_lite.text.model import LSTMCell, TextVAE
from rvae_lite.text.vocabulary import END, PAD, START, UNKNOWN

V, T, K = 9, 5, 2
TOKENS = torch.tensor([[4, 5, END, PAD, PAD], [6, 4, 8, 7, END], [7, END, PAD, PAD, PAD]])


def small_model(**options):
    model = TextVAE(num_tokens=V, length=T, latent_dim=K, embedding_dim=3, hidden_dim=4, **options)
    random = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -1, 1, generator=random)
    return model.double()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def as_pytorch(own, other):
    """PyTorch's cell or layer `other` with the parameters of our cell."""
    suffix = "_l0" if isinstance(other, nn.LSTM) else ""
    names = dict(weight_ih=own.inputs.weight, bias_ih=own.inputs.bias)
    names |= dict(weight_hh=own.recurrent.weight, bias_hh=own.recurrent.bias)
    other.load_state_dict({name + suffix: value.detach() for name, value in names.items()})
    return other.double()


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


# ---------------------------------------------------------------- LSTM


def test_a_cell_is_pytorchs_cell_with_the_same_gradients():
    own = LSTMCell(3, 4).double()
    theirs = as_pytorch(own, nn.LSTMCell(3, 4))
    x, h, c = normal(6, 3), normal(6, 4, seed=1), normal(6, 4, seed=2)
    for ours, other in zip(own(x, (h, c)), theirs(x, (h, c)), strict=True):
        close(ours, other)
    for cell in (own, theirs):
        sum(part.square().sum() for part in cell(x, (h, c))).backward()
    close(own.inputs.weight.grad, theirs.weight_ih.grad)
    close(own.recurrent.weight.grad, theirs.weight_hh.grad)
    close(own.recurrent.bias.grad, theirs.bias_hh.grad)


def test_cells_side_by_side_are_the_cells_one_by_one():
    cells = [LSTMCell(3, 4).double() for _ in range(3)]
    parameters, _ = stack_module_state(cells)
    x, state = normal(6, 3), (normal(6, 4), normal(6, 4))
    both = vmap(lambda own: functional_call(cells[0], own, (x, state)))(parameters)
    for m, cell in enumerate(cells):
        for together, alone in zip(both, cell(x, state), strict=True):
            close(together[m], alone)


def test_the_encoder_is_pytorchs_lstm_read_at_the_end_token():
    encoder = small_model().encoder
    theirs = as_pytorch(encoder.cell, nn.LSTM(3, 4, batch_first=True))
    outputs = theirs(encoder.embedding(TOKENS))[0]
    close(encoder(TOKENS), outputs[torch.arange(3), torch.tensor([2, 4, 1])])


def test_the_decoder_is_pytorchs_lstm_with_the_latent_beside_every_word():
    decoder, z = small_model().decoder, normal(3, K)
    words, theirs = torch.randint(4, V, (3, T)), nn.LSTM(3 + K, 4, batch_first=True)
    own = LSTMCell(3 + K, 4)
    own.inputs.weight = nn.Parameter(
        torch.cat([decoder.cell.inputs.weight, decoder.latent.weight], dim=1)
    )
    own.inputs.bias, own.recurrent = decoder.cell.inputs.bias, decoder.cell.recurrent
    joined = torch.cat([decoder.embedding(words), z.unsqueeze(1).expand(-1, T, -1)], dim=-1)
    c = decoder.initial(z).unsqueeze(0)
    outputs = as_pytorch(own, theirs)(joined, (c.tanh(), c))[0]
    close(decoder(words, z), decoder.output(outputs))


# ---------------------------------------------------------------- probabilities


def test_the_distortion_is_the_cross_entropy_of_the_tokens_without_padding():
    model, z = small_model(), normal(3, K)
    words = torch.cat([torch.full((3, 1), START), TOKENS[:, :-1]], dim=1)
    logits = model.decoder(words, z)
    nll = nn.functional.cross_entropy(
        logits.transpose(1, 2), TOKENS, ignore_index=PAD, reduction="none"
    )
    close(model.distortion(TOKENS, z), nll.sum(1))


def test_more_padding_changes_nothing():
    model, z = small_model(), normal(3, K)
    longer = torch.cat([TOKENS, torch.full((3, 2), PAD)], dim=1)
    close(model.distortion(longer, z), model.distortion(TOKENS, z))
    for padded, plain in zip(model.encode(longer), model.encode(TOKENS), strict=True):
        close(padded, plain)


def test_rate_and_distortion_use_the_posterior_sample_of_the_noise():
    model, noise = small_model().eval(), normal(3, K)
    posterior = model.encode(TOKENS)
    distortion, rate = model.distortion_and_rate(TOKENS, noise)
    close(distortion, model.distortion(TOKENS, posterior.sample(noise)))
    close(rate, posterior.kl_divergence())


def test_one_importance_sample_is_the_bound_and_many_come_close_to_the_integral():
    model = small_model().eval()
    posterior, noise = model.encode(TOKENS), normal(1, 3, K)
    z = posterior.sample(noise[0])
    q = torch.distributions.Normal(posterior.mean, posterior.log_scale.exp()).log_prob(z).sum(-1)
    p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    close(model.importance_bound(TOKENS, noise), model.distortion(TOKENS, z) + q - p)
    grid = torch.linspace(-6, 6, 61, dtype=torch.float64)
    z = torch.cartesian_prod(grid, grid)  # p(x) = integral of p(x|z) p(z) over the plane
    with torch.no_grad():
        log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
        each = [-model.distortion(row.expand(len(z), -1), z) + log_prior for row in TOKENS]
        exact = -(torch.stack(each).logsumexp(1) + 2 * math.log(0.2))
        many = model.importance_bound(TOKENS, normal(1000, 3, K, seed=1))
        bound = sum(sum(model.distortion_and_rate(TOKENS, own)) for own in normal(200, 3, K)) / 200
    assert (many - exact).abs().max() < 0.05
    assert (bound > exact).all()


# ---------------------------------------------------------------- words left out, words written


def test_words_are_dropped_in_training_only_and_as_the_noise_says():
    model = small_model(word_dropout=0.5)
    assert model.noise_dim == K + T and small_model().noise_dim == K
    latent, seen = normal(3, K), []
    handle = model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    keep, drop = torch.full((3, T), 0.1).double(), torch.full((3, T), -0.1).double()
    for training in (True, False):
        for noise in (keep, drop):
            model.train(training).distortion_and_rate(TOKENS, torch.cat([latent, noise], dim=1))
    handle.remove()
    plain = torch.cat([torch.full((3, 1), START), TOKENS[:, :-1]], dim=1)
    assert all(torch.equal(words, plain) for words in (seen[0], seen[2], seen[3]))
    assert (seen[1][:, 0] == START).all() and (seen[1][:, 1:] == UNKNOWN).all()


def test_the_share_of_dropped_words_is_word_dropout():
    model, seen = small_model(word_dropout=0.3).train(), []
    model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = TOKENS[1:2].expand(4000, -1)
    model.distortion_and_rate(x, normal(4000, model.noise_dim))
    share = float((seen[0][:, 1:] == UNKNOWN).double().mean())
    assert abs(share - 0.3) < 4 * math.sqrt(0.21 / 16_000)


def test_decode_takes_the_likeliest_token_at_every_step():
    model, z = small_model().eval(), 3 * normal(20, K)
    with torch.no_grad():
        model.decoder.output.bias[END] += 3
    tokens = model.decode(z)
    assert tokens.shape == (20, T) and not ((tokens == START).any() or (tokens[:, 0] == PAD).any())
    words = torch.cat([torch.full((20, 1), START), tokens[:, :-1]], dim=1)
    logits = model.decoder(words, z)
    logits[..., [PAD, START]] = -torch.inf
    ended = (tokens == END).cumsum(1) - (tokens == END).long() > 0
    assert torch.equal(tokens, torch.where(ended, PAD, logits.argmax(-1)))
    assert len(torch.unique(tokens, dim=0)) > 1 and ended.any()


def test_drawn_sentences_have_the_models_probabilities():
    model, count = small_model().eval(), 20_000
    z = normal(1, K)
    uniform = torch.rand(count, T, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    tokens = model.draw(z.expand(count, -1), uniform)
    logits = model.decoder(torch.tensor([[START, 4]]), z)[0]
    logits[:, [PAD, START]] = -torch.inf
    shares = torch.bincount(tokens[:, 0], minlength=V) / count
    assert (shares - logits[0].softmax(-1)).abs().max() < 4 * math.sqrt(0.25 / count)
    after = tokens[tokens[:, 0] == 4][:, 1]
    shares = torch.bincount(after, minlength=V) / len(after)
    assert (shares - logits[1].softmax(-1)).abs().max() < 4 * math.sqrt(0.25 / len(after))


# ---------------------------------------------------------------- in the engine


@pytest.fixture(scope="module")
def sentences():
    return data.load("grammar_sentences", num_train=96, num_valid=1, num_test=32)


def model_of(sentences, **options):
    sizes = dict(
        num_tokens=len(sentences.info["vocabulary"]), length=sentences.x.shape[1], latent_dim=3
    )
    return TextVAE(**sizes, embedding_dim=6, hidden_dim=8, **options)


def test_replicas_of_a_text_model_are_single_trainings(sentences, monkeypatch):
    x, model = sentences.x[:64], model_of(sentences, word_dropout=0.2).double()
    options = dict(epochs=2, batch_size=16, learning_rate=1e-2, compile=False)
    together = fit(model, x, replicas=2, seed=[3, 8], beta=[0.1, 2.0], **options)
    monkeypatch.setattr("rvae_lite.engine.one_by_one", lambda *_: False)
    side_by_side = fit(model, x, replicas=2, seed=[3, 8], beta=[0.1, 2.0], **options)
    alone = fit(model, x, seed=[8], beta=[2.0], **options)
    close(together.weights[1:], alone.weights)
    torch.testing.assert_close(side_by_side.weights, together.weights, rtol=0, atol=1e-9)
    close(
        torch.as_tensor(side_by_side.evaluate(x).distortion),
        torch.as_tensor(together.evaluate(x).distortion),
    )


def test_a_text_model_learns(sentences):
    space = fit(
        model_of(sentences), sentences.x, epochs=25, batch_size=16, beta=0.1, learning_rate=1e-2
    )
    before, after = space.history.distortion.iloc[[0, -1]]
    assert after < 0.6 * before
    found = space.evaluate(sentences.x)
    assert np.isnan(found.squared_error).all() and np.isfinite(found.rate).all()
    assert space.encode(sentences.x).shape == (1, 129, 3)
    written = space.reconstruct(sentences.x[:5])
    assert written.shape == (1, 5, sentences.x.shape[1]) and written.dtype == torch.int64


def test_a_multirate_text_model_trains_folds_and_comes_back_from_its_file(sentences, tmp_path):
    gated = make_multirate(model_of(sentences, word_dropout=0.2))
    names = [
        name.removeprefix("module.")
        for name, layer in gated.named_modules()
        if type(layer).__name__ == "Gated"
    ]
    assert sorted(names) == sorted(model_of(sentences).layers_to_gate())
    x = sentences.x
    space = fit(
        gated,
        x,
        beta=LogUniform(0.01, 10.0),
        epochs=3,
        batch_size=16,
        learning_rate=1e-2,
        compile=False,
    )
    folded = space.at_beta(0.3)
    torch.testing.assert_close(folded.encode(x), space.encode(x, beta=0.3), rtol=0, atol=1e-5)
    assert folded.evaluate(x).distortion == pytest.approx(
        space.evaluate(x, beta=0.3).distortion, abs=1e-4
    )
    assert folded.weights.shape[1] == sum(p.numel() for p in model_of(sentences).parameters())
    for kept in (space, folded):
        kept.save(tmp_path / "space.npz")
        again = Fit.load(tmp_path / "space.npz")
        assert torch.equal(again.weights, kept.weights) and again.model.config == kept.model.config
    assert torch.equal(again.encode(x), folded.encode(x))


def test_a_text_model_is_built_again_from_its_config():
    model = small_model(word_dropout=0.25)
    again = build(model.config)
    assert again.config == model.config and again.noise_dim == model.noise_dim
    again.double().load_state_dict(model.state_dict())
    assert torch.equal(again.encode(TOKENS).mean, model.encode(TOKENS).mean)


def test_a_training_goes_on_from_its_checkpoint_but_not_with_other_word_dropout(
    sentences, tmp_path
):
    options = dict(batch_size=16, compile=False, checkpoint=tmp_path / "half.npz")
    whole = fit(
        model_of(sentences, word_dropout=0.2),
        sentences.x,
        epochs=2,
        **options | dict(checkpoint=None),
    )
    fit(model_of(sentences, word_dropout=0.2), sentences.x, epochs=1, **options)
    assert torch.equal(
        fit(model_of(sentences, word_dropout=0.2), sentences.x, epochs=2, **options).weights,
        whole.weights,
    )
    with pytest.raises(
        ValueError, match=r"belongs to a training with another model \(word_dropout\)"
    ):
        fit(model_of(sentences, word_dropout=0.3), sentences.x, epochs=3, **options)


def test_tokens_of_any_integer_type_are_read_and_none_is_scaled():
    model = small_model()
    means = model.encode(TOKENS).mean
    space = fit(model, TOKENS.numpy().astype(np.uint8), epochs=1, batch_size=3, learning_rate=1e-9)
    assert space.encode(TOKENS.int()).shape == (1, 3, K)
    space.weights[0] = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    close(space.encode(TOKENS.numpy().astype(np.uint8))[0], means.detach())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TextVAE(num_tokens=9, length=0, latent_dim=2), "length must be positive, not 0"),
        (
            lambda: TextVAE(num_tokens=4, length=5, latent_dim=2),
            "num_tokens must exceed the 4 special tokens, not be",
        ),
        (
            lambda: small_model(word_dropout=1.0),
            "word_dropout must be a share of the words, from 0 to below 1, not 1",
        ),
        (
            lambda: fit(small_model(), TOKENS.double(), epochs=1, batch_size=2),
            "this model reads tokens: pass integers",
        ),
        (
            lambda: fit(small_model(), TOKENS > 4, epochs=1, batch_size=2),
            "x holds torch.bool, but this model reads",
        ),
        (
            lambda: fit(small_model(), TOKENS + 1, epochs=1, batch_size=2),
            "x holds tokens from 1 to 9, the model knows 0 to 8: "
            "encode the texts with the vocabulary",
        ),
        (
            lambda: fit(
                small_model(),
                TOKENS,
                epochs=1,
                batch_size=2,
                rho=1.0,
                points=RosettaPoints(TOKENS.double(), normal(3, K)),
            ),
            "a model of texts cannot be anchored, for words have no squared distance: pass rho=0",
        ),
    ],
)
def test_what_does_not_fit_a_text_model_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
