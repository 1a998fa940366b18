"""Saved Fits and arrays become spaces of the same data, at the betas that were asked for."""

import math

import numpy as np
import pytest
from workbench import BETAS, MANY, circle, shrinking

from rvae_lite import VAE, RosettaPoints, alignment, fit
from rvae_lite.fitted import Fit
from rvae_lite.lab import spaces
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.spaces import distances_over_beta, gather_spaces, known_maps, split_beta
from rvae_lite.lab.training import train_space


def saved(tmp_path, trained):
    trained.fit.save(tmp_path / "fit.npz")
    np.save(tmp_path / "means.npy", trained.fit.encode(circle())[0].numpy())
    return dict(fit=tmp_path / "fit.npz", means=tmp_path / "means.npy")


def test_fits_and_arrays_become_spaces_of_the_same_data(tmp_path, trained):
    points = distil_space(trained.fit, circle(), 9)
    found = spaces.gather_spaces(saved(tmp_path, trained), x=circle(), points=points)
    assert np.allclose(found.means["fit"], found.means["means"]) and found.anchor_means is None
    assert np.array_equal(np.sort(points.x[:, 0]), np.sort(circle()[found.anchors][:, 0]))
    elsewhere = spaces.gather_spaces(
        dict(fit=tmp_path / "fit.npz"), x=circle(seed=5), points=points
    )
    assert elsewhere.anchors is None and np.allclose(
        elsewhere.anchor_means["fit"], points.z, atol=1e-6
    )


def test_what_of_the_common_data_the_anchors_cover_is_noted_with_points_alone(tmp_path, trained):
    points = distil_space(trained.fit, circle(), 9)
    sources = saved(tmp_path, trained)
    said = [
        note
        for options in (dict(points=points), dict())
        for note in spaces.gather_spaces(sources, x=circle(), **options).notes
        if note.startswith("covering: ")
    ]
    assert said == [str(points.check(circle()).covering)] and "all examples lie" in said[0]


def test_every_replica_is_a_space_and_many_examples_are_drawn_from(tmp_path, monkeypatch):
    monkeypatch.setattr(spaces, "MOST_EXAMPLES", 50)
    fit(VAE.mlp(3, 2, (4,)), circle(), replicas=2, epochs=1, batch_size=32).save(
        tmp_path / "fit.npz"
    )
    found = spaces.gather_spaces(dict(two=tmp_path / "fit.npz"), x=circle())
    assert list(found.means) == ["two #0", "two #1"] and found.means["two #0"].shape == (50, 2)
    assert "50 of 120 examples were drawn at random" in found.notes
    points = RosettaPoints(circle()[[5, 7, 9]], np.zeros((3, 2)))
    with_points = spaces.gather_spaces(dict(two=tmp_path / "fit.npz"), x=circle(), points=points)
    assert np.array_equal(circle()[with_points.rows[with_points.anchors]], points.x)


def test_spaces_that_do_not_fit_are_refused(tmp_path, trained):
    sources = saved(tmp_path, trained)
    with pytest.raises(
        ValueError, match="fit is a model: pass the data that all spaces are to encode"
    ):
        spaces.gather_spaces(sources)
    with pytest.raises(
        ValueError, match=r"the numbers of examples differ \(means 120, the data 90\)"
    ):
        spaces.gather_spaces(sources, x=circle(90))
    points = RosettaPoints(circle(4, seed=9), np.zeros((4, 2)))
    with pytest.raises(
        ValueError, match="the points' inputs are not among the data, so encoded arrays have no"
    ):
        spaces.gather_spaces(sources, x=circle(), points=points)
    other = RosettaPoints(np.ones((4, 5)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="the points' inputs have shape"):
        spaces.gather_spaces(sources, x=circle(), points=other)


def test_the_file_knows_the_map_between_two_betas():
    points, betas = shrinking(), dict(a=BETAS[0], b=BETAS[-1], c=BETAS[0])
    maps = known_maps(points, betas)
    assert np.allclose(maps["b", "a"](points.z[-1]), points.z[0], atol=1e-6)
    assert np.array_equal(maps["a", "c"](points.z[0]), points.z[0].astype(float))
    assert known_maps(points.at_beta(1.0), betas) == {}
    assert len(known_maps(points, dict(a=100.0, b=1.0))) == 2  # beyond the ends, without a warning


def test_models_and_arrays_are_read_at_their_betas(folder, template, curves):
    sources = dict(
        low=f"{folder}/many.npz@0.1", high=folder / "many.npz", plain=folder / "plain.npz"
    )
    sources["means"] = f"{folder}/means.npy@0.1"
    found = gather_spaces(sources, x=circle(), points=curves, beta=3.0)
    assert found.betas == dict(low=0.1, high=3.0, plain=0.5, means=0.1)
    assert np.allclose(found.means["low"], found.means["means"])
    assert np.array_equal(found.means["high"], template.encode(circle(), beta=3.0)[0])
    assert (
        "low: network mlp, beta 0.01 to 10, read at 0.1, 8 epochs, trained without points"
        in found.notes
    )
    assert "means was read from encoded means of beta 0.1" in found.notes
    assert set(found.over_beta) == {"high", "plain"}
    assert gather_spaces(dict(means=folder / "means.npy"), x=circle()).betas == {}


def test_distances_over_beta_are_those_at_each_beta(folder, template):
    other = train_space(circle(seed=1), plan=MANY._replace(beta_range=(0.1, 20.0), seed=1)).fit
    fits = dict(a=template, b=other, plain=Fit.load(folder / "plain.npz"))
    found = distances_over_beta(fits, circle())
    betas, shares = found["b"]
    assert np.allclose([betas[0], betas[-1]], [0.1, 10.0])
    target = template.encode(circle(), beta=betas[4])[0]
    distance = alignment.mean_squared_distance(other.encode(circle(), beta=betas[4])[0], target)
    assert math.isclose(shares[4], distance / alignment.total_variance(target))
    assert (
        found["plain"][0] == [0.5]
        and distances_over_beta(dict(plain=fits["plain"], a=template), circle()) == {}
    )


def test_a_beta_that_is_missing_or_wrong_is_one_sentence(folder):
    with pytest.raises(
        ValueError,
        match="many.npz is a multi-rate model: say at which beta to read it, as in .*@0.5",
    ):
        gather_spaces(dict(a=folder / "many.npz"), x=circle())
    with pytest.raises(
        ValueError,
        match="plain.npz is a plain model of beta 0.5: it cannot be read at 2, leave @2 out",
    ):
        gather_spaces(dict(a=f"{folder}/plain.npz@2"), x=circle())
    (folder / "a@2").touch()
    assert split_beta(folder / "a@2") == (str(folder / "a@2"), None)
    assert split_beta("a@b.npz") == ("a@b.npz", None) and split_beta("a.npz@0.1") == ("a.npz", 0.1)
