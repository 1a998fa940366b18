"""Data sets: exact geometry, provenance, the paper's partition, and clear refusals when files are missing."""

import errno
import gzip
import hashlib
import io
import os
import struct
from pathlib import Path

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
    mean = np.stack(
        [40 * np.cos(angle), 40 * np.sin(angle), 0 * angle, 0 * angle, 1 + 0 * angle], axis=1
    )
    noise = np.random.default_rng(3).standard_normal((6400, 5))
    np.testing.assert_allclose(
        data.load("eight_gaussians", seed=3).x, mean + noise, rtol=0, atol=1e-5
    )


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


@pytest.mark.parametrize("name", ["eight_gaussians", "digits", "procedural_chairs"])
def test_data_sets_carry_unique_ids_and_their_provenance(name):
    dataset = data.load(name)
    assert len(set(dataset.ids)) == len(dataset.x) == len(dataset.labels) == len(dataset.part)
    assert dataset.info["name"] == name
    assert {"title", "source", "licence", "value_range"} <= set(dataset.info)
    if dataset.info["value_range"] is not None:
        low, high = np.array(dataset.info["value_range"]) * (
            255 if dataset.x.dtype == np.uint8 else 1
        )
        assert low <= dataset.x.min() and dataset.x.max() <= high


def test_num_examples_draws_a_random_subset_without_replacement_by_seed():
    everything = data.load("digits")
    subset, again = (
        data.load("digits", num_examples=100, seed=1),
        data.load("digits", num_examples=100, seed=1),
    )
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
    with pytest.raises(
        ValueError, match=f"num_examples must be between 1 and 1797 for digits, not {num_examples}"
    ):
        data.load("digits", num_examples=num_examples)


def test_an_unknown_name_names_the_known_ones():
    known = r"\[.*'digits', .*'eight_gaussians'.*'mnist'.*\]"
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


def replace_download(monkeypatch, download):
    """Let `download(name) -> bytes` answer in place of the network; returns the addresses that were asked for."""
    import torchvision.datasets.utils

    asked = []

    def fetch(url, root, filename, md5):
        asked.append(url)
        content = download(url.rsplit("/")[-1])
        (Path(root) / filename).write_bytes(content)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", fetch)
    return asked


def test_mnist_without_a_network_gives_the_same_remedy(tmp_path, monkeypatch):
    def fail(name):
        raise RuntimeError("several\nlines: no network here")

    asked = replace_download(monkeypatch, fail)
    with pytest.raises(
        FileNotFoundError, match="could not be downloaded: call load.*or put train-images"
    ) as caught:
        data.load("mnist", root=tmp_path, download=True)
    assert "\n" not in str(caught.value) and "no network here" in str(caught.value.__cause__)
    assert len(asked) > 1 and all(
        url.endswith("train-images-idx3-ubyte.gz") for url in asked
    )  # every mirror


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
        arrays[f"{name}-images-idx3-ubyte.gz"] = random.integers(
            0, 256, (count, 28, 28), dtype=np.uint8
        )
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
    with pytest.raises(
        ValueError, match="t10k-labels-idx1-ubyte.gz is damaged .* delete it and download it again"
    ):
        data.load("mnist", root=tmp_path)


def test_a_single_missing_mnist_file_counts_as_missing(tmp_path, monkeypatch):
    write_small_mnist(tmp_path / "mnist", monkeypatch)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="MNIST is not in"):
        data.load("mnist", root=tmp_path)


def test_a_download_fetches_what_is_missing_and_puts_it_in_place(tmp_path, monkeypatch):
    arrays = write_small_mnist(tmp_path / "elsewhere", monkeypatch)
    asked = replace_download(monkeypatch, lambda name: (tmp_path / "elsewhere" / name).read_bytes())
    dataset = data.load("mnist", root=tmp_path, download=True)
    assert np.array_equal(dataset.x[:12, 0], arrays["train-images-idx3-ubyte.gz"])
    assert len(asked) == 4
    assert sorted(file.name for file in (tmp_path / "MNIST" / "raw").iterdir()) == sorted(
        data.MNIST_FILES
    )
    data.load("mnist", root=tmp_path, download=True)
    assert len(asked) == 4


@pytest.mark.parametrize("kill", [True, False])
def test_a_download_cut_off_midway_leaves_nothing_that_a_second_run_trusts(
    kill, tmp_path, monkeypatch
):
    write_small_mnist(tmp_path / "elsewhere", monkeypatch)
    broken = {"train-labels-idx1-ubyte.gz"}

    def download(name):
        content = (tmp_path / "elsewhere" / name).read_bytes()
        if name in broken and kill:
            raise KeyboardInterrupt
        return content[:-5] if name in broken else content

    asked = replace_download(monkeypatch, download)
    with pytest.raises(KeyboardInterrupt if kill else FileNotFoundError):
        data.load("mnist", root=tmp_path, download=True)
    assert not (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz").exists()
    with pytest.raises(FileNotFoundError, match="MNIST is not in"):
        data.load("mnist", root=tmp_path)
    broken.clear()
    del asked[:]
    assert data.load("mnist", root=tmp_path, download=True).x.shape == (17, 1, 28, 28)
    assert len(asked) == 3  # the first file was whole


def forbid(monkeypatch, path):
    """Make the operating system refuse to list one folder or to open one file, whoever runs the test."""
    for module, name in ((os, "scandir"), (io, "open")):
        allowed = getattr(module, name)

        def refuse(where, *arguments, allowed=allowed, **options):
            if str(where) == str(path):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return allowed(where, *arguments, **options)

        monkeypatch.setattr(module, name, refuse)


@pytest.mark.parametrize("name", ["mnist", "chairs"])
@pytest.mark.parametrize("download", [True, False])
def test_a_root_without_permission_is_one_sentence(name, download, tmp_path, monkeypatch):
    forbid(monkeypatch, tmp_path)
    with pytest.raises(
        PermissionError, match="change its permissions, or name another folder by root= or"
    ) as caught:
        data.load(name, root=tmp_path, download=download)
    assert f"the data in {tmp_path} cannot be used (Permission denied)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    write_small_mnist(tmp_path / "mnist", monkeypatch)
    forbid(monkeypatch, tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(
        PermissionError, match="the data in .*t10k-labels-idx1-ubyte.gz cannot be used"
    ):
        data.load("mnist", root=tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind the superuser"
)
@pytest.mark.parametrize("name", ["mnist", "chairs"])
def test_a_real_folder_without_permission_is_refused(name, tmp_path):
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(PermissionError, match="cannot be used"):
        data.load(name, root=tmp_path / "locked")


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is not a folder: name another folder by root="):
        data.load("mnist", root=tmp_path / "file")


def test_an_unknown_option_names_the_known_ones():
    with pytest.raises(ValueError, match="digits takes no option 'partition': it takes none"):
        data.load("digits", partition="model")
    known = "num_designs, partition, views_per_design"
    with pytest.raises(
        ValueError, match=f"procedural_chairs takes no option 'views': it takes {known}"
    ):
        data.load("procedural_chairs", views=3)
    with pytest.raises(
        ValueError, match="chairs takes no option 'num_designs': it takes on_corrupt, partition"
    ):
        data.load("chairs", num_designs=3)


def test_an_option_reaches_its_loader():
    assert len(data.load("eight_gaussians", num_per_class=10).x) == 80


def test_procedural_chairs_are_images_with_designs_as_labels_and_views_in_the_ids():
    dataset = data.load("procedural_chairs", num_designs=4, views_per_design=62)
    assert dataset.x.shape == (248, 1, 64, 64)
    assert dataset.x.dtype == np.uint8
    assert dataset.labels.tolist() == np.repeat(np.arange(4), 62).tolist()
    assert dataset.ids[0] == "chair000-p020-t000" and dataset.ids[-1] == "chair003-p030-t348"
    assert dataset.ids[4] == "chair000-p020-t046"
    assert dataset.info["stands_for"] == "3D Chairs"


def test_procedural_chairs_are_a_few_thousand_by_default():
    dataset = data.load("procedural_chairs")
    assert len(dataset.x) == 3200
    assert len(set(dataset.labels)) == 200
    assert abs((dataset.part == 1).sum() - 1600) == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_random_partition_halves_the_images_and_a_partition_by_model_keeps_models_whole(seed):
    by_image = data.load("procedural_chairs", num_designs=20, views_per_design=6, seed=seed)
    by_model = data.load(
        "procedural_chairs", num_designs=20, views_per_design=6, seed=seed, partition="model"
    )
    assert np.array_equal(by_image.x, by_model.x)
    assert np.bincount(by_image.part).tolist() == np.bincount(by_model.part).tolist() == [0, 60, 60]
    assert len(set(by_image.labels[by_image.part == 1])) > 10
    first, second = (set(by_model.labels[by_model.part == part]) for part in (1, 2))
    assert len(first) == len(second) == 10 and not first & second
    again = data.load(
        "procedural_chairs", num_designs=20, views_per_design=6, seed=seed, partition="model"
    )
    assert np.array_equal(by_model.part, again.part)


def test_an_unknown_partition_names_the_known_ones():
    with pytest.raises(
        ValueError, match=r"partition must be one of \['model', 'random'\], not 'chair'"
    ):
        data.load("procedural_chairs", partition="chair")


@pytest.mark.skipif(data.DATA_VARIABLE not in os.environ, reason=f"{data.DATA_VARIABLE} is not set")
def test_the_real_mnist_has_seventy_thousand_digits():
    try:
        dataset = data.load("mnist")
    except FileNotFoundError:
        pytest.skip(f"MNIST is not in the folder that {data.DATA_VARIABLE} names")
    assert dataset.x.shape == (70_000, 1, 28, 28)
    assert np.bincount(dataset.labels).tolist() == [
        6903,
        7877,
        6990,
        7141,
        6824,
        6313,
        6876,
        7293,
        6825,
        6958,
    ]
    assert dataset.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert 0 < dataset.part.tolist().count(1) < 70_000
