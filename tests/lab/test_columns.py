"""Names of columns travel with points and trainings, and tables of another order are refused."""

import numpy as np
import pandas as pd
import pytest

from rvae_lite import VAE, Fit, RosettaPoints, fit, select_points
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.estimator import RosettaVAE
from rvae_lite.lab.spaces import gather_spaces

NAMES = ["mass", "length", "wing"]
ORDER = "'wing', of the {} 'mass': bring the columns into"


@pytest.fixture(scope="module")
def table():
    values = np.random.default_rng(0).normal(size=(40, 3))
    return pd.DataFrame(values, columns=NAMES)


@pytest.fixture(scope="module")
def space(table):
    return fit(VAE.mlp(3, 2, (8,)), table, epochs=1, batch_size=20)


def test_points_of_a_table_tell_its_columns_and_refuse_another_order(table, space, tmp_path):
    points = select_points(table, table.to_numpy()[:, :2], 8)
    points.save(tmp_path / "p.npz")
    points = RosettaPoints.load(tmp_path / "p.npz")
    assert points.header["names"] == RosettaPoints(table, table).header["names"] == NAMES
    assert str(points.check(table)) == str(points.check(table.to_numpy()))
    assert any(ORDER.format("points") in error for error in points.check(table[NAMES[::-1]]).errors)
    with pytest.raises(ValueError, match=ORDER.format("points")):
        fit(space.model, table[NAMES[::-1]], epochs=1, batch_size=20, rho=1.0, points=points)
    renamed = points.check(table.rename(columns=dict(mass="weight")))
    assert not renamed.errors and "are they the same quantities?" in renamed.warnings[0]


def test_columns_without_names_say_nothing(table):
    plain = pd.DataFrame(table.to_numpy())
    assert "names" not in select_points(plain, plain, 8).header
    assert not select_points(table, table, 8).check(plain).errors


def test_a_training_knows_its_columns_after_it_was_saved(table, space, tmp_path):
    space.save(tmp_path / "space.npz")
    space = Fit.load(tmp_path / "space.npz")
    assert space.info["names"] == NAMES
    assert space.encode(table).equal(space.encode(table.to_numpy()))
    for measure in (space.encode, space.evaluate, space.reconstruct):
        with pytest.raises(ValueError, match=ORDER.format("training")):
            measure(table[NAMES[::-1]])
    with pytest.raises(ValueError, match=ORDER.format("training")):
        distil_space(space, table.to_numpy(), 4, header=dict(names=NAMES[::-1]))
    sources = dict(a=tmp_path / "space.npz", b=tmp_path / "space.npz")
    with pytest.raises(ValueError, match="a: column 0 of the data is " + ORDER.format("training")):
        gather_spaces(sources, x=table[NAMES[::-1]])
    renamed = gather_spaces(sources, x=table.to_numpy(), names=["weight", *NAMES[1:]]).notes
    assert sum("are they the same quantities?" in note for note in renamed) == 2


def test_the_estimator_meets_points_by_the_names_of_columns(table):
    estimator = RosettaVAE(epochs=1, hidden=8).fit(table)
    points = estimator.select_points(table, 8)
    assert points.header["names"] == NAMES
    with pytest.raises(ValueError, match=ORDER.format("points")):
        RosettaVAE(epochs=1).fit(table[NAMES[::-1]], points=points)
