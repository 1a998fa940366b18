"""Latents of any origin become a Rosetta file, which says that it has no decoder targets."""

import json
import os
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from workbench import circle, refused, run

from rvae_lite import RosettaPoints, data, select_points
from rvae_lite.birdsong.ava import KEYS

NAMES = [f"s{number:03d}" for number in range(120)]


@pytest.fixture
def bench(tmp_path):
    """Data without ids and with them, and their PCA in every kind of file."""
    x = circle()
    z = PCA(2).fit_transform(x)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "z.npy", z)
    table = pd.DataFrame(z, columns=["u", "v"])
    table.to_csv(tmp_path / "bare.csv", index=False)
    table.assign(id=NAMES).to_csv(tmp_path / "z.csv", index=False)
    for name, key, array in (("x", "data", x), ("z", "latent_means", z)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file[key], file["ids"] = array, np.array(NAMES, "S")
    (tmp_path / "folder").mkdir()
    for name, row in zip(NAMES, x, strict=True):
        np.save(tmp_path / "folder" / f"{name}.npy", row)
    return tmp_path


def distilled(bench, source, latents, *more):
    said = run("distil", bench / source, "-o", bench / "p.npz", "--latents", bench / latents, *more)
    return RosettaPoints.load(bench / "p.npz"), said


@pytest.mark.parametrize("latents", ["z.npy", "bare.csv", "z.csv", "z.h5"])
def test_every_kind_of_file_gives_the_same_points_without_a_model(bench, latents):
    points, said = distilled(bench, "x.npy", latents)
    x, z = np.load(bench / "x.npy"), np.load(bench / "z.npy")
    expected = select_points(x, z, 30)
    assert np.array_equal(points.x, expected.x) and np.allclose(points.z, expected.z, atol=1e-6)
    assert f"the latents are those of {latents}; there is no decoder" in said
    assert "do not both have ids: their rows were taken to be in the same order" in said
    has_ids = latents in ("z.csv", "z.h5")
    assert (points.ids[0] in NAMES) == has_ids == ("ids of the chosen examples travel" in said)
    assert not list(bench.glob("*.model.npz"))


@pytest.mark.parametrize("source", ["x.h5", "folder"])
@pytest.mark.parametrize("latents", ["z.csv", "z.h5"])
def test_ids_of_both_are_compared(bench, source, latents):
    key = ["--key", "data"] if source == "x.h5" else []
    points, said = distilled(bench, source, latents, *key)
    assert "do not both have ids" not in said
    row = NAMES.index(points.ids[0].removesuffix(".npy"))
    assert np.array_equal(points.x[0], np.load(bench / "x.npy")[row])


def test_ids_of_the_data_that_cannot_be_read_are_not_compared(bench):
    with h5py.File(bench / "x.h5", "r+") as file:
        del file["ids"]
        file["ids"] = NAMES  # of any length, which are not read
    _, said = distilled(bench, "x.h5", "z.npy", "--key", "data")
    assert "their rows were taken to be in the same order" in said


def test_ids_are_left_out_when_asked(bench):
    points, said = distilled(bench, "x.npy", "z.csv", "--ids", "none")
    assert set(points.ids) == {""} and "travel" not in said
    assert b"s0" not in (bench / "p.npz").read_bytes()


def test_the_file_says_where_its_latents_are_from_and_that_it_has_no_decoder_targets(bench):
    told = ["--latents-from", "PCA of the circle", "--licence", "CC0", "--num-points", 9]
    points, _ = distilled(bench, "x.npy", "z.npy", *told)
    assert points.recon is None and len(points) == 9
    assert points.header["decoder_targets"] == "absent"
    assert points.header["latents"] == dict(file="z.npy", origin="PCA of the circle")
    said = run("inspect", bench / "p.npz")
    assert re.search(r"^decoder targets +absent: decoders are drawn to the inputs$", said, re.M)
    assert re.search(r"^latents +file z.npy, origin PCA of the circle$", said, re.M)
    result = json.loads(run("inspect", "book:digits", "--json"))
    assert result["reconstructions"] == (result["decoder_targets"] == "the reconstructions")


def test_a_model_trains_into_the_points(bench):
    distilled(bench, "x.npy", "z.npy")
    quick = ["--epochs", 40, "--batch-size", 16, "--learning-rate", 0.01]
    files = ["-o", bench / "m.npz", *quick, "--json"]
    result = json.loads(run("train", bench / "x.npy", bench / "p.npz", *files))
    assert result["reached"] and result["plan"]["latent_dim"] == 2


def test_avas_latents_are_taken_by_the_name_of_their_array(tmp_path):
    rng = np.random.default_rng(0)
    specs, means = rng.uniform(size=(40, 16, 16)), rng.standard_normal((40, 32))
    times = np.arange(40.0)
    arrays = (specs, times, times + 0.1, np.array(["bird.wav"] * 40, "S"))
    with h5py.File(tmp_path / "syllables_0000.hdf5", "w") as file:
        for key, array in zip(KEYS, arrays, strict=True):
            file[key] = array
    with h5py.File(tmp_path / "projections.hdf5", "w") as file:
        file["latent_means"], file["latent_mean_umap"] = means, means[:, :2]
    named = ["--latents", tmp_path / "projections.hdf5", "--latents-key", "latent_means"]
    key = ["--key", "specs", "-o", tmp_path / "ava.npz"]
    run("distil", tmp_path / "syllables_0000.hdf5", *key, *named)
    points = RosettaPoints.load(tmp_path / "ava.npz")
    assert points.x.shape == (33, 1, 16, 16) and points.z.shape == (33, 32)
    rows = points.ids.astype(int)
    assert np.array_equal(points.z, means[rows].astype(np.float32))


def test_python_takes_arrays_of_ava_and_of_pca_as_they_are():
    digits = data.load("digits", num_examples=200)
    means = PCA(8).fit_transform(digits.x.reshape(200, -1))
    told = dict(decoder_targets="absent", latents=dict(origin="PCA"))
    points = select_points(digits.x, means, 16, ids=digits.ids, header=told)
    assert points.recon is None and points.header["latents"] == dict(origin="PCA")
    rows = [digits.ids.tolist().index(name) for name in points.ids]
    assert np.array_equal(points.z, means[rows].astype(np.float32))


def changed(bench, name, **columns):
    table = pd.read_csv(bench / "z.csv").assign(**columns)
    table.to_csv(bench / name, index=False)


def test_latents_that_do_not_fit_the_data_are_refused(bench):
    z = np.load(bench / "z.npy")
    np.save(bench / "short.npy", z[:90])
    np.save(bench / "flat.npy", np.ones((120, 2)))
    np.save(bench / "replicas.npy", np.stack([z, z], 1))
    hole = z.copy()
    hole[7, 1] = np.nan
    np.save(bench / "hole.npy", hole)
    changed(bench, "hole.csv", u=hole[:, 1])
    changed(bench, "turned.csv", id=NAMES[::-1])
    changed(bench, "others.csv", id=[f"t{number}" for number in range(120)])
    pd.DataFrame(z, columns=["u,v", "w"]).assign(id=NAMES).to_csv(bench / "comma.csv", index=False)
    with h5py.File(bench / "few.h5", "w") as file:
        file["z"], file["ids"] = z, np.array(NAMES[:90], "S")
    cases = {
        "short.npy": "short.npy has 90 rows, the data 120 examples: pass a row for each example",
        "flat.npy": "flat.npy has the same latents for every example: pass a space that tells",
        "replicas.npy": r"replicas.npy must hold \(N, K\), a row .*, not \(120, 2, 2\): pass the",
        "hole.npy": "hole.npy has NaN or infinite values in 1 examples, first in 7: drop them",
        "hole.csv": "hole.csv has NaN or infinite values .* in 1 examples, first in 7: drop them",
        "turned.csv": r"its rows are in another order \(row 0 is of 's119', .*\): sort them",
        "others.csv": r"its ids are not those of the data \(row 0 is of 't0', .* of 's000'\): pass",
        "few.h5": "few.h5 has 90 ids for 120 examples: write one for each, or none",
        "comma.csv": "comma.csv has commas in names of columns: rename these",
        "none.npy": "there are no data at .*none.npy: check the path",
    }
    before = sorted(os.listdir(bench))
    for name, message in cases.items():
        files = [bench / "folder", "-o", bench / "p.npz", "--latents", bench / name]
        refused(f"^rvae-lite: --latents: .*{message}", "distil", *files)
    assert sorted(os.listdir(bench)) == before


def test_options_that_make_no_sense_with_latents_are_refused(bench):
    command = ["distil", bench / "x.npy", "-o", bench / "p.npz", "--latents", bench / "z.npy"]
    reason = ": nothing is trained where --latents is given: leave one out"
    refused(f"--model{reason}", *command, "--model", bench / "m.npz")
    refused(f"--model-out{reason}", *command, "--model-out", bench / "m.npz")
    refused(f"--beta, --epochs{reason}", *command, "--epochs", 9, "--beta", 0)
    refused(f"--held-out{reason}", *command, "--held-out", 0)
    refused(f"--multi-rate{reason}", *command, "--multi-rate")
    refused("--share decoded needs a decoder, which latents", *command, "--share", "decoded")
    refused("z.npy is read by this command", *command[:3], bench / "z.npy", *command[4:])
    alone = ["distil", bench / "x.npy", "-o", bench / "p.npz", "--latents-from", "PCA"]
    refused("--latents-key and --latents-from tell of --latents: pass it, or neither", *alone)
    assert not (bench / "p.npz").exists()
