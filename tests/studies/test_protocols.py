"""The paper's experiments end to end, at a scale of seconds."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite import VAE, alignment, data
from rvae_lite.studies import protocols
from rvae_lite.studies.setup import REPEATED_ANCHORS, SAME_SEED, Method, Setup, methods_of

pytestmark = pytest.mark.filterwarnings("ignore::rvae_lite.anchors.PointsNotReached")
METHODS = methods_of() | SAME_SEED | REPEATED_ANCHORS


@pytest.fixture(scope="module")
def setup():
    dataset = data.load("eight_gaussians", num_per_class=40)
    scale = dict(epochs=8, batch_size=32, methods=METHODS, replicas=3)
    return Setup(dataset, VAE.mlp(5, 2, (16,)), num_points=4, **scale)


@pytest.fixture(scope="module")
def reproducibility(setup):
    return protocols.reproducibility(setup)


@pytest.fixture(scope="module")
def sequential(setup):
    return protocols.sequential(setup)


def values(table, **keys):
    for column, key in keys.items():
        table = table[table[column] == key]
    return table.value.to_numpy()


def test_every_method_trains_the_number_of_replicas_asked_for(reproducibility):
    assert {name: len(fit) for name, fit in reproducibility.fits.items()} == dict.fromkeys(
        METHODS, 3
    )


def test_methods_carry_their_own_beta_and_rho(reproducibility):
    assert set(reproducibility.fits["beta-VAE"].beta) == {2.5}
    assert set(reproducibility.fits["R-VAE"].rho) == {15.0}
    assert set(reproducibility.fits["VAE"].rho) == {0.0}


def test_the_same_seed_gives_the_same_space_to_the_last_bit_on_a_cpu(reproducibility):
    assert (values(reproducibility.table, method="VAE (same seed)", metric="rv") == -np.inf).all()
    assert (
        values(reproducibility.table, method="VAE (same seed)", metric="within_fraction") < 1e-12
    ).all()


def test_the_table_holds_the_metrics_of_the_models_returned(reproducibility):
    means = reproducibility.fits["VAE"].encode(reproducibility.validation.x)
    assert values(reproducibility.table, method="VAE", metric="rv", part="rest") == pytest.approx(
        alignment.retraining_variability(means).value
    )


def test_a_protocol_repeats_itself(setup, reproducibility):
    pd.testing.assert_frame_equal(protocols.reproducibility(setup).table, reproducibility.table)


def test_another_template_is_another_draw(setup, reproducibility):
    other = protocols.reproducibility(setup, template=1)
    assert not np.allclose(other.points.z, reproducibility.points.z)


def test_rosetta_points_come_from_the_first_laboratory_alone(sequential):
    ids = set(sequential.points.ids)
    dataset = data.load("eight_gaussians", num_per_class=40)
    assert ids <= set(dataset.ids[dataset.part == 1])
    own = sequential.first.encode(sequential.points.x)[0].numpy()
    assert np.allclose(own, sequential.points.z, atol=1e-5)


def test_the_distortion_is_of_one_map_for_both_halves(sequential):
    target = sequential.target.encode(sequential.validation.x)[0]
    source = sequential.fits["VAE"].encode(sequential.validation.x)[1]
    halves = [
        values(sequential.table, method="VAE", metric="lsd", part=f"D{part}")[1] for part in (1, 2)
    ]
    weights = [(sequential.validation.part == part).mean() for part in (1, 2)]
    assert np.dot(halves, weights) == pytest.approx(
        alignment.latent_space_distortion(source, target), rel=1e-5
    )


def test_points_of_the_joint_model_lie_in_the_joint_space(setup):
    study = protocols.sequential(setup, points_from="joint")
    assert np.allclose(study.target.encode(study.points.x)[0], study.points.z, atol=1e-5)
    with pytest.raises(ValueError, match="points_from must be 'first' or 'joint'"):
        protocols.sequential(setup, points_from="second")


def test_repeated_anchors_join_the_data_once_per_batch(setup):
    control = setup._replace(methods=REPEATED_ANCHORS)
    study = protocols.sequential(control)
    half = int(0.6 * 160)
    num_batches = -(-half // setup.batch_size)
    assert (
        study.fits["VAE, anchors repeated"].info["num_data"]
        == half + num_batches * setup.num_points
    )


def test_selection_prefers_positive_beta_and_the_largest_harmless_rho(setup, reproducibility):
    beta, rho, table = protocols.select_beta_rho(
        setup, reproducibility.points, betas=(0, 1), rhos=(0, 1), tolerance=1e9
    )
    assert (beta, rho) == (1.0, 1.0)
    assert list(table.columns) == ["parameter", "value", "negative_elbo"] and len(table) == 4
    _, strict, _ = protocols.select_beta_rho(
        setup, reproducibility.points, betas=(0, 1), rhos=(0, 1e6), tolerance=0
    )
    assert strict == 0.0


def test_trainings_kept_in_a_folder_are_not_run_again(setup, tmp_path, monkeypatch):
    kept = setup._replace(keep=tmp_path, methods=methods_of())
    before = protocols.reproducibility(kept)
    files = {path.name for path in tmp_path.iterdir()}
    assert (
        "template-0.npz" in files
        and "reproducibility-0-R4-beta-VAE.npz" in files
        and len(files) == 4
    )

    def refuse(*_):
        raise AssertionError("a finished training was run again")

    monkeypatch.setattr("rvae_lite.engine.Trainer.run_epoch", refuse)
    pd.testing.assert_frame_equal(protocols.reproducibility(kept).table, before.table)


def test_methods_trained_apart_equal_methods_trained_together(setup, reproducibility, tmp_path):
    apart = protocols.reproducibility(setup._replace(keep=tmp_path))
    pd.testing.assert_frame_equal(
        apart.table[apart.table.metric == "distortion"],
        reproducibility.table[reproducibility.table.metric == "distortion"],
        rtol=1e-3,
    )


def test_reconstruction_stands_beside_reproducibility(reproducibility):
    runs = reproducibility.fits["R-VAE"]
    expected = runs.evaluate(reproducibility.validation.x).squared_error
    assert values(reproducibility.table, method="R-VAE", metric="squared_error") == pytest.approx(
        expected
    )


def test_the_second_laboratory_may_have_another_network(setup):
    second = VAE.mlp(5, 2, (24, 8))
    study = protocols.sequential(setup._replace(second_model=second, methods=methods_of()))
    sizes = {name: runs.weights.shape[1] for name, runs in study.fits.items()}
    assert set(sizes.values()) == {sum(p.numel() for p in second.parameters())}
    assert (
        study.first.weights.shape[1]
        == study.target.weights.shape[1]
        == sum(p.numel() for p in setup.model.parameters())
    )


def test_the_table_says_how_the_points_were_selected(setup):
    study = protocols.sequential(
        setup._replace(selection="random", methods={"R-VAE": Method(rho=15.0)})
    )
    assert (
        set(study.table.selection) == {"random"}
        and study.points.header["selection_method"] == "random"
    )
