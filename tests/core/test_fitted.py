"""What can be done with trained replicas: encode, decode, evaluate, select, save and load."""

import numpy as np
import pandas as pd
import pytest
import reference
import torch
from torch import nn
from toy import BETA, EPOCHS, NUM_REPLICAS, RHO, SEEDS, assert_close, terms_of, toy_data, toy_points

from rvae_lite import VAE, Fit, engine, fit, fitted


def test_history_is_a_row_per_epoch_and_replica(eager):
    table = eager.history
    columns = "epoch replica beta rho loss distortion rate anchor_x anchor_z"
    assert list(table.columns) == columns.split()
    assert len(table) == EPOCHS * NUM_REPLICAS
    assert table.epoch.unique().tolist() == [1, 2, 3]
    last = table[table.epoch == EPOCHS].set_index("replica")
    assert last.beta.tolist() == BETA
    assert last.rho.tolist() == RHO
    assert last.loss.tolist() == terms_of(eager)[-1, 0].tolist()
    assert last.anchor_z.tolist() == terms_of(eager)[-1, 4].tolist()
    total = (
        table.distortion + table.beta * table.rate + table.rho * (table.anchor_x + table.anchor_z)
    )
    pd.testing.assert_series_equal(total, table.loss, rtol=1e-12, check_names=False)


def test_encode_is_each_replicas_own_posterior_mean(eager):
    x = toy_data()
    means = eager.encode(x)
    assert means.shape == (NUM_REPLICAS, len(x), 2)
    assert not means.requires_grad
    for m in (0, 7):
        weights = dict(eager.replica(m).named_parameters())
        assert_close(means[m], reference.encode(weights, x).loc.detach())


def test_decode_takes_one_set_of_latents_or_one_per_replica(eager):
    z = torch.linspace(-1, 1, 12, dtype=torch.float64).view(6, 2)
    own = torch.stack([z + m for m in range(NUM_REPLICAS)])
    shared_output, own_output = eager.decode(z), eager.decode(own)
    assert shared_output.shape == own_output.shape == (NUM_REPLICAS, 6, 5)
    for m in (0, 7):
        weights = dict(eager.replica(m).named_parameters())
        assert_close(shared_output[m], reference.decode(weights, z).detach())
        assert_close(own_output[m], reference.decode(weights, z + m).detach())


def test_reconstruct_decodes_the_posterior_means(eager):
    x = toy_data()
    assert torch.equal(eager.reconstruct(x), eager.decode(eager.encode(x)))


def test_evaluate_agrees_with_the_reference_on_the_same_noise(eager):
    x = toy_data()
    found = eager.evaluate(x, seed=3)
    noise = torch.randn(
        len(x), 2, generator=engine.generator(3, engine.EVALUATION), dtype=torch.float64
    )
    for m in (0, 7):
        distortion, rate = reference.terms(dict(eager.replica(m).named_parameters()), x, noise)
        assert_close(found.distortion[m], distortion.mean().detach())
        assert_close(found.rate[m], rate.mean().detach())
    assert_close(found.loss(), found.distortion + found.rate)
    assert_close(found.loss(2.5), found.distortion + 2.5 * found.rate)
    assert np.array_equal(eager.evaluate(x, seed=3), found)
    assert not np.array_equal(eager.evaluate(x, seed=4).distortion, found.distortion)


def test_anchor_distance_is_relative_to_the_anchors_total_variance(eager):
    points = toy_points()
    means = eager.encode(points.x)
    z = torch.from_numpy(points.z).double()
    expected = [((mean - z) ** 2).sum() / ((z - z.mean(0)) ** 2).sum() for mean in means]
    assert_close(eager.anchor_distance(points), torch.stack(expected))


def test_data_larger_than_a_chunk_are_encoded_piece_by_piece(eager, monkeypatch):
    x = toy_data()
    at_once = eager.encode(x), eager.reconstruct(x), eager.evaluate(x)
    monkeypatch.setattr(fitted, "CHUNK", 10)
    for whole, pieces in zip(
        at_once, (eager.encode(x), eager.reconstruct(x), eager.evaluate(x)), strict=True
    ):
        np.testing.assert_allclose(np.asarray(pieces), np.asarray(whole), rtol=0, atol=1e-12)


def test_a_replica_is_an_ordinary_module_in_eval_mode_and_a_copy(eager):
    module, x = eager.replica(3), toy_data()
    assert isinstance(module, VAE)
    assert not module.training
    assert_close(module.encode(x).mean.detach(), eager.encode(x)[3])
    before = eager.weights.clone()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert torch.equal(eager.weights, before)


def test_select_keeps_each_replicas_things_together(eager):
    chosen = eager.select([7, 0, -1])
    assert len(chosen) == 3
    assert chosen.seeds == [SEEDS[7], SEEDS[0], SEEDS[9]]
    assert chosen.beta.tolist() == [BETA[7], BETA[0], BETA[9]]
    assert chosen.rho.tolist() == [RHO[7], RHO[0], RHO[9]]
    assert_close(chosen.encode(toy_data()), eager.encode(toy_data())[[7, 0, 9]])
    assert np.array_equal(terms_of(chosen), terms_of(eager)[:, :, [7, 0, 9]])
    assert chosen.history.replica.unique().tolist() == [0, 1, 2]


def test_select_takes_a_mask(eager):
    anchored = eager.select(eager.rho > 0)
    assert anchored.rho.tolist() == [rho for rho in RHO if rho > 0]
    assert anchored.seeds == [seed for seed, rho in zip(SEEDS, RHO, strict=True) if rho > 0]


def test_a_fit_is_saved_and_loaded_to_the_last_bit(eager, tmp_path):
    eager.save(tmp_path / "fit.npz")
    loaded = Fit.load(tmp_path / "fit.npz")
    assert torch.equal(loaded.weights, eager.weights)
    assert np.array_equal(terms_of(loaded), terms_of(eager))
    assert np.array_equal(loaded.beta, eager.beta)
    assert np.array_equal(loaded.rho, eager.rho)
    assert loaded.seeds == eager.seeds
    assert loaded.info | dict(seconds=eager.info["seconds"]) == eager.info
    assert torch.equal(loaded.encode(toy_data()), eager.encode(toy_data()))
    assert torch.equal(loaded.reconstruct(toy_data()), eager.reconstruct(toy_data()))
    pd.testing.assert_frame_equal(loaded.history, eager.history)


def own_model():
    return VAE(nn.Linear(5, 4), nn.Linear(2, 5), data_shape=(5,), feature_dim=4, latent_dim=2)


def test_a_model_of_ones_own_is_needed_to_load_its_fit(tmp_path):
    space = fit(own_model(), toy_data().float(), epochs=1, batch_size=50)
    space.save(tmp_path / "fit.npz")
    with pytest.raises(
        ValueError, match="holds a model of your own: pass model=, a module of the same shape"
    ):
        Fit.load(tmp_path / "fit.npz")
    loaded = Fit.load(tmp_path / "fit.npz", model=own_model())
    assert torch.equal(loaded.encode(toy_data()), space.encode(toy_data()))
    with pytest.raises(ValueError, match="parameters a replica, the model has another number"):
        Fit.load(tmp_path / "fit.npz", model=VAE.mlp(5, 2, (8,)))


def test_a_missing_or_foreign_fit_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no fit file at"):
        Fit.load(tmp_path / "fit.npz")
    toy_points().save(tmp_path / "points.npz")
    with pytest.raises(ValueError, match="is a 'rosetta' file, not a fit file"):
        Fit.load(tmp_path / "points.npz")


@pytest.mark.parametrize("shape", [(), (6, 3), (2,), (0, 2), (3, 6, 2), (10, 6, 3), (1, 10, 6, 2)])
def test_latents_that_do_not_fit_are_refused(eager, shape):
    with pytest.raises(ValueError, match=r"z must be \(N, 2\) or \(10, N, 2\), not"):
        eager.decode(torch.zeros(shape))


def test_encode_and_evaluate_refuse_data_that_do_not_fit(eager):
    for function in (eager.encode, eager.reconstruct, eager.evaluate):
        with pytest.raises(ValueError, match=r"x must be \(N, 5\) for this model, not \(4, 6\)"):
            function(np.zeros((4, 6)))
        with pytest.raises(ValueError, match="x holds 0 examples, at least 1 needed"):
            function(np.zeros((0, 5)))


def test_beta_is_for_multi_rate_models(eager):
    with pytest.raises(ValueError, match="beta is for multi-rate models"):
        eager.encode(toy_data(), beta=1.0)


def test_a_single_example_can_be_encoded(eager):
    x = toy_data()
    assert_close(eager.encode(x[:1]), eager.encode(x)[:, :1])


def test_a_fit_says_what_it_is(eager):
    assert repr(eager) == "Fit(10 replicas of VAE, 3 epochs)"
    assert len(eager) == NUM_REPLICAS
