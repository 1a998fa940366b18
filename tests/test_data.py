"""Data sets: exact geometry, provenance, the paper's partition, and clear refusals when files are missing."""

import gzip
import hashlib
import os
import struct

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rvae_lite import data


def test_eight_gaussians_have_their_means_every_45_degrees_on_a_circle_of_radius_40():
    dataset = data.load("eight_gaussians")
    assert dataset.x.shape == (6400, 5)
    assert dataset.x.dtype == np.float32
    assert np.bincount(dataset.labels).tolist() == [800] * 8
    for label in range(8):
        cluster = dataset.x[dataset.labels == label].astype(np.float64)
        angle = np.pi / 4 * label
        expected = [40 * np.cos(angle), 40 * np.sin(angle), 0, 0, 1]
        standard_error = 1 / np.sqrt(800)
        assert np.abs(cluster.mean(0) - expected).max() < 5 * standard_error
        assert np.abs(np.cov(cluster.T) - np.eye(5)).max() < 5 * np.sqrt(2) * standard_error


def test_eight_gaussians_are_their_means_plus_standard_normal_noise_exactly():
    labels = np.repeat(np.arange(8), 800)
    angle = np.deg2rad(45 * labels)
    mean = np.stack([40 * np.cos(angle), 40 * np.sin(angle), 0 * angle, 0 * angle, 1 + 0 * angle], axis=1)
    noise = np.random.default_rng(3).standard_normal((6400, 5))
    np.testing.assert_allclose(data.load("eight_gaussians", seed=3).x, mean + noise, rtol=0, atol=1e-5)


def test_d1_of_the_eight_gaussians_is_the_half_circle_from_45_to_180_degrees():
    dataset = data.load("eight_gaussians")
    angles = 45 * np.unique(dataset.labels[dataset.part == 1])
    assert angles.tolist() == [45, 90, 135, 180]
    assert np.unique(dataset.part).tolist() == [1, 2]


def test_generated_data_depend_on_the_seed_alone():
    first, again, other = (data.load("eight_gaussians", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)


def test_digits_are_those_of_scikit_learn_scaled_to_one():
    dataset, bunch = data.load("digits"), load_digits()
    assert dataset.x.shape == (1797, 1, 8, 8)
    assert np.array_equal(dataset.x[:, 0] * 16, bunch.images)
    assert np.array_equal(dataset.labels, bunch.target)
    assert np.array_equal(dataset.part == 1, bunch.target <= 4)
    assert dataset.info["stands_for"] == "MNIST"


@pytest.mark.parametrize("name", ["eight_gaussians", "digits"])
def test_data_sets_carry_unique_ids_and_their_provenance(name):
    dataset = data.load(name)
    assert len(set(dataset.ids)) == len(dataset.x) == len(dataset.labels) == len(dataset.part)
    assert dataset.info["name"] == name
    assert {"title", "source", "licence", "value_range"} <= set(dataset.info)
    if dataset.info["value_range"] is not None:
        low, high = dataset.info["value_range"]
        assert low <= dataset.x.min() and dataset.x.max() <= high


def test_num_examples_draws_a_random_subset_without_replacement_by_seed():
    everything = data.load("digits")
    subset, again = data.load("digits", num_examples=100, seed=1), data.load("digits", num_examples=100, seed=1)
    other = data.load("digits", num_examples=100, seed=2)
    assert len(set(subset.ids)) == len(subset.x) == 100
    assert np.array_equal(subset.ids, again.ids)
    assert not np.array_equal(subset.ids, other.ids)
    position = {name: i for i, name in enumerate(everything.ids)}
    rows = [position[name] for name in subset.ids]
    assert np.array_equal(subset.x, everything.x[rows])
    assert np.array_equal(subset.labels, everything.labels[rows])
    assert np.array_equal(data.load("digits", num_examples=1797).x, everything.x)


@pytest.mark.parametrize("num_examples", [0, -1, 1798])
def test_num_examples_out_of_range_is_refused(num_examples):
    with pytest.raises(ValueError, match=f"num_examples must be between 1 and 1797 for digits, not {num_examples}"):
        data.load("digits", num_examples=num_examples)


def test_an_unknown_name_names_the_known_ones():
    known = r"\[.*'digits', 'eight_gaussians'.*'mnist'.*\]"
    with pytest.raises(ValueError, match=f"name must be one of {known}, not 'cats'"):
        data.load("cats")


def test_take_keeps_the_fields_together():
    dataset = data.load("digits")
    zeros = dataset.take(dataset.labels == 0)
    assert set(zeros.labels) == {0}
    assert len(zeros.x) == len(zeros.ids) == len(zeros.part) == (dataset.labels == 0).sum()
    assert dataset.take(slice(3)).ids.tolist() == dataset.take([0, 1, 2]).ids.tolist()


@pytest.mark.parametrize("train_fraction", [0.6, 0.25])
def test_the_split_is_taken_inside_each_part(train_fraction):
    dataset = data.load("digits")
    train = data.split(dataset, train_fraction=train_fraction, seed=1)
    for part in (1, 2):
        members = dataset.part == part
        assert train[members].sum() == round(train_fraction * members.sum())
    assert np.array_equal(train, data.split(dataset, train_fraction=train_fraction, seed=1))
    assert not np.array_equal(train, data.split(dataset, train_fraction=train_fraction, seed=2))


def test_the_split_is_60_to_40_by_default():
    dataset = data.load("eight_gaussians")
    train = data.split(dataset)
    assert [train[dataset.part == part].mean() for part in (1, 2)] == [0.6, 0.6]


@pytest.mark.parametrize("train_fraction", [0, 1, 1.5, -0.1])
def test_an_impossible_split_is_refused(train_fraction):
    with pytest.raises(ValueError, match="train_fraction must be between 0 and 1"):
        data.split(data.load("digits"), train_fraction=train_fraction)


def test_the_root_is_the_argument_then_the_variable_then_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv(data.DATA_VARIABLE, str(tmp_path / "variable"))
    assert data.data_root(tmp_path / "argument") == tmp_path / "argument"
    assert data.data_root() == tmp_path / "variable"
    monkeypatch.delenv(data.DATA_VARIABLE)
    assert data.data_root().name == "rvae_lite"


def test_missing_mnist_says_what_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        data.load("mnist", root=tmp_path, download=False)
    message = str(caught.value)
    assert str(tmp_path / "mnist") in message
    assert "download=True" in message
    assert data.DATA_VARIABLE in message
    assert all(name in message for name in data.MNIST_FILES)
    assert "\n" not in message


def test_mnist_without_a_network_gives_the_same_remedy(tmp_path, monkeypatch):
    import torchvision.datasets

    def fail(*arguments, **options):
        raise RuntimeError("several\nlines: no network here")

    monkeypatch.setattr(torchvision.datasets, "MNIST", fail)
    with pytest.raises(FileNotFoundError, match="could not be downloaded: call load.*or put train-images") as caught:
        data.load("mnist", root=tmp_path, download=True)
    assert "\n" not in str(caught.value) and "no network here" in str(caught.value.__cause__)


def idx(array):
    """An array of bytes in the idx format, gzipped."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def write_small_mnist(folder, monkeypatch, *, num_train=12, num_test=5):
    """A tiny stand-in in MNIST's own format, its checksums put in place of the real ones."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    arrays, sums = {}, {}
    for name, count in (("train", num_train), ("t10k", num_test)):
        arrays[f"{name}-images-idx3-ubyte.gz"] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{name}-labels-idx1-ubyte.gz"] = random.integers(0, 10, count, dtype=np.uint8)
    for name, array in arrays.items():
        content = idx(array)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(data, "MNIST_FILES", sums)
    return arrays


@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw"])
def test_mnist_files_are_parsed_training_set_first(folder, tmp_path, monkeypatch):
    arrays = write_small_mnist(tmp_path / folder, monkeypatch)
    dataset = data.load("mnist", root=tmp_path)
    assert dataset.x.shape == (17, 1, 28, 28)
    assert dataset.x.dtype == np.uint8
    assert np.array_equal(dataset.x[:12, 0], arrays["train-images-idx3-ubyte.gz"])
    assert np.array_equal(dataset.x[12:, 0], arrays["t10k-images-idx3-ubyte.gz"])
    assert np.array_equal(dataset.labels[12:], arrays["t10k-labels-idx1-ubyte.gz"])
    assert np.array_equal(dataset.part == 1, dataset.labels <= 4)


def test_a_damaged_mnist_file_is_refused_by_name(tmp_path, monkeypatch):
    write_small_mnist(tmp_path / "mnist", monkeypatch)
    victim = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte.gz is damaged .* delete it and download it again"):
        data.load("mnist", root=tmp_path)


def test_a_single_missing_mnist_file_counts_as_missing(tmp_path, monkeypatch):
    write_small_mnist(tmp_path / "mnist", monkeypatch)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="MNIST is not in"):
        data.load("mnist", root=tmp_path)


@pytest.mark.skipif(data.DATA_VARIABLE not in os.environ, reason=f"{data.DATA_VARIABLE} is not set")
def test_the_real_mnist_has_seventy_thousand_digits():
    try:
        dataset = data.load("mnist")
    except FileNotFoundError:
        pytest.skip(f"MNIST is not in the folder that {data.DATA_VARIABLE} names")
    assert dataset.x.shape == (70_000, 1, 28, 28)
    assert np.bincount(dataset.labels).tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert dataset.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert 0 < dataset.part.tolist().count(1) < 70_000
