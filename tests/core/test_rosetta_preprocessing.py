"""Points made from data that were prepared in another way are refused."""

import numpy as np
import torch
from aviary import SMALL

from rvae_lite.data.dataset import Dataset
from rvae_lite.models.vae import VAE
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.studies.protocols import distil
from rvae_lite.studies.setup import Setup
from rvae_lite.train import fit

X = np.random.default_rng(0).random((12, 5), dtype=np.float32)


def points(preprocessing=None):
    header = {} if preprocessing is None else dict(preprocessing=preprocessing)
    return RosettaPoints(X[:4], np.zeros((4, 2)), header=header)


def test_other_settings_are_an_error_that_names_them_with_both_values():
    report = points(SMALL.as_dict()).check(
        X, SMALL._replace(axis="linear", log_range=(2.0, 6.5)).as_dict()
    )
    (error,) = report.errors
    assert error == (
        "the points and the data were prepared differently (axis: 'mel' against 'linear'; log_range: None against "
        "[2.0, 6.5]): prepare the data alike"
    )


def test_a_setting_that_one_side_lacks_is_an_error():
    report = points(SMALL.as_dict() | dict(gain=2)).check(X, SMALL.as_dict())
    assert "gain: 2 against None" in str(report)


def test_each_birds_own_range_does_not_matter():
    theirs, own = (
        SMALL.as_dict() | dict(normalisation={bird: [1.0, 2.0]}) for bird in ("ann", "bob")
    )
    assert points(theirs).check(X, own).errors == []


def test_what_only_one_side_tells_cannot_be_compared():
    assert points(SMALL.as_dict()).check(X).errors == []
    assert points().check(X, SMALL.as_dict()).errors == []


def test_preprocessing_may_be_one_sentence():
    assert points("grey, 64x64").check(X, "grey, 64x64").errors == []
    assert "preprocessing: 'grey, 64x64' against 'colour'" in str(
        points("grey, 64x64").check(X, "colour")
    )


def test_the_error_stands_beside_that_of_the_shape():
    report = points(SMALL.as_dict()).check(X[:, :3], SMALL._replace(hop=128).as_dict())
    assert (
        len(report.errors) == 2
        and "hop: 256 against 128" in report.errors[0]
        and "shape" in report.errors[1]
    )


def test_settings_survive_the_file(tmp_path):
    points(SMALL._replace(log_range=(2.0, 6.5)).as_dict()).save(tmp_path / "points.npz")
    loaded = RosettaPoints.load(tmp_path / "points.npz")
    assert loaded.check(X, SMALL._replace(log_range=(2.0, 6.5)).as_dict()).errors == []
    assert loaded.check(X, SMALL.as_dict()).errors != []


def test_distilled_points_carry_the_preprocessing_of_their_data():
    for info in (dict(preprocessing=SMALL.as_dict()), {}):
        info = dict(title="song", licence="CC0") | info
        data = Dataset(X, np.zeros(12, int), np.arange(12).astype(str), np.ones(12, int), info)
        model = VAE.mlp(5, 2)
        setup = Setup(data, model, num_points=3, epochs=1, batch_size=6, methods={})
        run = fit(model, torch.from_numpy(X), epochs=1, batch_size=6, compile=False, progress=False)
        assert distil(setup, run, data).header.get("preprocessing") == info.get("preprocessing")
