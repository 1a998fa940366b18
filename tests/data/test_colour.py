"""Colour images: parts of real sets from small files and from the real ones, and landscapes."""

import hashlib
import os

import numpy as np
import pytest

from rvae_lite import data
from rvae_lite.data import colour
from rvae_lite.data.folders import DATA_VARIABLE, sources

real = pytest.mark.skipif(DATA_VARIABLE not in os.environ, reason=f"{DATA_VARIABLE} is not set")
PARTS = ["cifar10_part", "svhn_part"]


class Trap:
    """Raises where it is unpickled."""

    def __reduce__(self):
        return exec, ("raise AssertionError('unpickled')",)


def write(root, name, monkeypatch, **arrays):
    """The arrays as the set's file, of which the checksum is known, with a trap beside them."""
    (file,) = sources()[name]["files"]
    (root / name).mkdir(exist_ok=True)
    path = root / name / file
    np.savez_compressed(path, names=np.array([Trap()], dtype=object), **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(sources()[name], "files", {file: f"sha256:{digest}"})
    return path


def some(count, seed=0):
    """Random images, labels, and an origin that is 0 for two of three images."""
    random = np.random.default_rng(seed)
    images = random.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(10, size=count).astype(np.uint8)
    return dict(images=images, labels=labels, origin=(np.arange(count) >= 2 * count // 3))


def counts(dataset):
    return np.bincount(dataset.part, minlength=4)[1:].tolist()


def test_the_test_set_of_cifar10_is_the_last_of_the_random_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(colour, "CIFAR10_TEST", 40)
    arrays = some(150)
    arrays["origin"] = arrays["origin"].astype(np.uint8)
    write(tmp_path, "cifar10_part", monkeypatch, **arrays)
    found = [data.load("cifar10_part", root=tmp_path, seed=seed) for seed in (0, 1)]
    for dataset in found:
        assert np.flatnonzero(dataset.part == 3).tolist() == list(range(60, 100))
        assert counts(dataset) == [99, 11, 40]
    assert (found[0].part != found[1].part).any()  # the validation set is drawn
    x, labels = found[0].x, found[0].labels
    assert x.shape == (150, 3, 32, 32) and x.dtype == np.uint8
    np.testing.assert_array_equal(x[7, :, 3, 5], arrays["images"][7, 3, 5])
    np.testing.assert_array_equal(labels, arrays["labels"])


def test_neighbours_in_svhn_stay_in_one_part(tmp_path, monkeypatch):
    write(tmp_path, "svhn_part", monkeypatch, **some(2450))
    dataset = data.load("svhn_part", root=tmp_path)
    runs = [set(dataset.part[start : start + 100]) for start in range(0, 2450, 100)]
    assert all(len(run) == 1 for run in runs)
    assert sorted(part for run in runs for part in run) == [1] * 18 + [2] * 2 + [3] * 5


@pytest.mark.parametrize("name", PARTS)
def test_without_the_file_the_remedy_is_one_sentence(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="is not in .*: put .*npz, from a copy") as caught:
        data.load(name, root=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / name) in message and DATA_VARIABLE in message
    assert "download" not in message and "\n" not in message  # nothing can be downloaded


@pytest.mark.parametrize("name", PARTS)
def test_a_file_with_another_checksum_is_refused(name, tmp_path, monkeypatch):
    path = write(tmp_path, name, monkeypatch, **some(9))
    path.write_bytes(path.read_bytes()[:-1])
    wanted = r"npz is damaged or another file \(its SHA256 differs\): delete it and get it again"
    with pytest.raises(ValueError, match=wanted):
        data.load(name, root=tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict(images=np.zeros((9, 3, 32, 32), np.uint8)), "'uint8', 9, 3, 32, 32"),
        (dict(images=np.zeros((9, 32, 32, 3))), "images, labels must not be .*'float64', 9"),
        (dict(labels=np.zeros(8, int)), "'int64', 8"),
        (dict(labels=np.array([Trap()] * 9, dtype=object)), "allow_pickle=False"),
    ],
)
def test_arrays_of_another_form_are_refused(change, reason, tmp_path, monkeypatch):
    path = write(tmp_path, "svhn_part", monkeypatch, **(some(9) | change))
    with pytest.raises(ValueError, match=reason) as caught:
        data.load("svhn_part", root=tmp_path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@real
@pytest.mark.parametrize(
    ("name", "expected", "title"),
    [
        ("cifar10_part", [4474, 497, 1000], r"CIFAR-10 (5,971 of 60,000 images)"),
        ("svhn_part", [7200, 800, 2000], r"SVHN (10,000 of 99,289 images)"),
    ],
)
def test_the_real_files_are_read(name, expected, title):
    dataset = data.load(name)
    assert counts(dataset) == expected and dataset.info["title"] == title
    assert set(dataset.labels) == set(range(10)) and dataset.info["value_range"] == (0.0, 1.0)


# ---------------------------------------------------------------- landscapes


@pytest.fixture(scope="module")
def landscapes():
    return data.load("procedural_colour", num_images=300)


def test_landscapes_are_drawn_from_the_seed_alone(landscapes):
    again = data.load("procedural_colour", num_images=300)
    other = data.load("procedural_colour", num_images=300, seed=1)
    assert landscapes.x.shape == (300, 3, 32, 32) and landscapes.x.dtype == np.uint8
    np.testing.assert_array_equal(landscapes.x, again.x)
    assert (landscapes.x != other.x).any((1, 2, 3)).all()
    assert counts(landscapes) == [216, 24, 60] and landscapes.info["stands_for"] == "CIFAR-10"
    assert len(np.unique(landscapes.x.reshape(300, -1), axis=0)) == 300


def test_the_sky_is_brighter_than_the_ground_and_all_three_colours_vary(landscapes):
    sky, ground = landscapes.x[:, :, 0].mean(-1), landscapes.x[:, :, -1].mean(-1)
    assert (sky.mean(1) > ground.mean(1)).mean() > 0.95
    correlation = np.corrcoef(sky.T)
    assert sky.std(0).min() > 20 and np.abs(correlation[np.triu_indices(3, 1)]).max() < 0.5


def test_no_landscapes_are_refused():
    with pytest.raises(ValueError, match="num_images must be positive, not 0"):
        data.load("procedural_colour", num_images=0)
