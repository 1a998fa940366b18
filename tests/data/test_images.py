"""Sets of real images: small files in the original formats, downloads, and the real files."""

import gzip
import hashlib
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from rvae_lite import data
from rvae_lite.data import images
from rvae_lite.data.folders import DATA_VARIABLE, sources

RANDOM = np.random.default_rng(0)
real = pytest.mark.skipif(DATA_VARIABLE not in os.environ, reason=f"{DATA_VARIABLE} is not set")


def counts(dataset):
    return np.bincount(dataset.part, minlength=4)[1:].tolist()


def md5(content):
    return "md5:" + hashlib.md5(content, usedforsecurity=False).hexdigest()


# ---------------------------------------------------------------- MNIST


def test_missing_mnist_says_what_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        data.load("mnist", root=tmp_path, download=False)
    message = str(caught.value)
    assert str(tmp_path / "mnist") in message
    assert "download=True" in message
    assert DATA_VARIABLE in message
    assert all(name in message for name in sources()["mnist"]["files"])
    assert "\n" not in message


def replace_network(monkeypatch, answer):
    """Let `answer(name) -> bytes` stand for the network; returns the addresses asked for."""
    import pooch.core

    asked = []

    def download(url, output_file, _):
        asked.append(url)
        content = answer(url.rsplit("/")[-1])
        with open(output_file, "wb") as file:
            file.write(content)

    monkeypatch.setattr(pooch.core, "choose_downloader", lambda *_, **__: download)
    return asked


def test_mnist_without_a_network_gives_the_same_remedy(tmp_path, monkeypatch):
    def fail(name):
        raise RuntimeError("several\nlines: no network here")

    asked = replace_network(monkeypatch, fail)
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
        sums[name] = md5(content)
    monkeypatch.setitem(sources()["mnist"], "files", sums)
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
    asked = replace_network(monkeypatch, lambda name: (tmp_path / "elsewhere" / name).read_bytes())
    dataset = data.load("mnist", root=tmp_path, download=True)
    assert np.array_equal(dataset.x[:12, 0], arrays["train-images-idx3-ubyte.gz"])
    assert len(asked) == 4
    assert sorted(file.name for file in (tmp_path / "MNIST" / "raw").iterdir()) == sorted(
        sources()["mnist"]["files"]
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

    asked = replace_network(monkeypatch, download)
    with pytest.raises(KeyboardInterrupt if kill else FileNotFoundError):
        data.load("mnist", root=tmp_path, download=True)
    assert not (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz").exists()
    with pytest.raises(FileNotFoundError, match="MNIST is not in"):
        data.load("mnist", root=tmp_path)
    broken.clear()
    del asked[:]
    assert data.load("mnist", root=tmp_path, download=True).x.shape == (17, 1, 28, 28)
    assert len(asked) == 3  # the first file was whole


# ---------------------------------------------------------------- binary MNIST


def write_binary_mnist(root, monkeypatch, *, matlab=False):
    """A few images under the names of the real files, their counts and checksums put in place."""
    folder, sums = root / "binarized_mnist", {}
    folder.mkdir(exist_ok=True)
    arrays = [RANDOM.integers(0, 2, (count, 784), dtype=np.uint8) for count in (5, 3, 2)]
    for name, array in zip(sources()["binary_mnist"]["files"], arrays, strict=True):
        if matlab:
            savemat(folder / name, dict(X=array), appendmat=False)
        else:
            np.savetxt(folder / name, array, fmt="%d")
        sums[name] = "sha256:" + hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(images, "BINARY_MNIST_COUNTS", (5, 3, 2))
    if not matlab:
        monkeypatch.setitem(sources()["binary_mnist"], "files", sums)
    return np.concatenate(arrays)


@pytest.mark.parametrize("matlab", [True, False])
def test_binary_mnist_is_read_from_text_or_matlab_files_by_their_content(
    matlab, tmp_path, monkeypatch
):
    pixels = write_binary_mnist(tmp_path, monkeypatch, matlab=matlab)
    dataset = data.load("binary_mnist", root=tmp_path)
    np.testing.assert_array_equal(dataset.x, 255 * pixels.reshape(-1, 1, 28, 28))
    assert dataset.part.tolist() == [1] * 5 + [2] * 3 + [3] * 2
    assert not dataset.labels.any()


def test_binary_mnist_that_is_altered_is_refused_by_name(tmp_path, monkeypatch):
    write_binary_mnist(tmp_path, monkeypatch)
    path = tmp_path / "binarized_mnist" / "binarized_mnist_valid.amat"
    path.write_bytes(path.read_bytes()[:-2] + b"\n")
    with pytest.raises(
        ValueError,
        match=r"_valid.amat is damaged or another file \(its SHA256 differs\): delete it and",
    ):
        data.load("binary_mnist", root=tmp_path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (dict(X=np.zeros((2, 784))), "it must hold 5 rows of 784 zeros and ones"),
        (dict(X=np.full((5, 784), 2)), "it must hold 5 rows of 784 zeros and ones"),
        (dict(Y=np.zeros((5, 784))), "it must hold 5 rows of 784 zeros and ones"),
        (None, "not a readable MATLAB file"),
    ],
)
def test_a_matlab_file_of_something_else_is_refused(content, reason, tmp_path, monkeypatch):
    write_binary_mnist(tmp_path, monkeypatch, matlab=True)
    path = tmp_path / "binarized_mnist" / "binarized_mnist_train.amat"
    if content is None:
        path.write_bytes(path.read_bytes()[:200])
    else:
        savemat(path, content, appendmat=False)
    with pytest.raises(
        ValueError, match=rf"_train.amat is damaged or another file \({reason}\): get it again"
    ):
        data.load("binary_mnist", root=tmp_path)


def replace_download(monkeypatch, answer):
    import pooch

    asked = []

    def retrieve(url, known_hash, *, fname, path, progressbar):
        asked.append((url, known_hash))
        (path / fname).write_bytes(answer(fname))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return asked


def test_a_download_fetches_only_what_is_missing_with_its_checksum(tmp_path, monkeypatch):
    pixels = write_binary_mnist(tmp_path, monkeypatch)
    path = tmp_path / "binarized_mnist" / "binarized_mnist_test.amat"
    content = path.read_bytes()
    path.unlink()
    asked = replace_download(monkeypatch, lambda name: content)
    assert len(data.load("binary_mnist", root=tmp_path, download=True).x) == len(pixels)
    known = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert asked == [(sources()["binary_mnist"]["page"] + path.name, known)]


@pytest.mark.parametrize("name", ["binary_mnist", "svhn"])
def test_without_files_or_a_network_the_remedy_is_one_sentence(name, tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=rf"is not in .*: call load\('{name}', download=True\).* or put"
    ) as caught:
        data.load(name, root=tmp_path)
    assert "\n" not in str(caught.value) and DATA_VARIABLE in str(caught.value)

    def fail(name):
        raise OSError("no network\nhere")

    replace_download(monkeypatch, fail)
    with pytest.raises(
        FileNotFoundError, match="could not be downloaded: call load.* or put .* from http.* into"
    ) as caught:
        data.load(name, root=tmp_path, download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, file", [("omniglot", "images_background"), ("cifar10", "cifar-10"), ("celeba", "list")]
)
def test_a_set_that_the_reader_must_fetch_says_what_from_where(name, file, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=f"is not in .*: put {file}.* from https://.* into .*{name}"
    ) as caught:
        data.load(name, root=tmp_path, download=True)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- Omniglot


def write_omniglot(folder, monkeypatch, *, characters=(3, 2)):
    """Characters of ten drawings: black squares, ever larger, on white paper."""
    folder.mkdir(parents=True)
    for which, count in zip(images.OMNIGLOT_COUNTS, characters, strict=True):
        with zipfile.ZipFile(folder / f"{which}_repacked.zip", "w") as archive:
            for character in range(count):
                for drawing in range(10):
                    paper = np.ones((105, 105), dtype=bool)
                    paper[:60, : 6 * (drawing + 1)] = False
                    file = io.BytesIO()
                    Image.fromarray(paper).save(file, "PNG")
                    archive.writestr(
                        f"{which}/Angelic/character{which[7]}{character}/{drawing:02}.png",
                        file.getvalue(),
                    )
    counted = {w: 10 * n for w, n in zip(images.OMNIGLOT_COUNTS, characters, strict=True)}
    monkeypatch.setattr(images, "OMNIGLOT_COUNTS", counted)


@pytest.mark.parametrize("folder", ["omniglot", "omniglot-py"])
def test_omniglot_is_averaged_and_drawn_once_with_ink_as_one(folder, tmp_path, monkeypatch):
    write_omniglot(tmp_path / folder, monkeypatch)
    dataset = data.load("omniglot", root=tmp_path)
    assert dataset.x.shape == (50, 1, 28, 28) and set(np.unique(dataset.x)) == {0, 255}
    assert counts(dataset) == [27, 3, 20] and (dataset.part[30:] == 3).all()
    assert np.bincount(dataset.labels).tolist() == [10] * 5
    assert (
        dataset.x[9, 0, :16, :16] == 255
    ).all()  # a square of 60 of 105 pixels is one of 16 of 28
    assert not dataset.x[9, 0, 16:].any() and not dataset.x[9, 0, :, 16:].any()
    again, other = (data.load("omniglot", root=tmp_path, seed=seed) for seed in (0, 1))
    assert np.array_equal(dataset.x, again.x) and not np.array_equal(dataset.x, other.x)
    # A square 12 pixels wide fills a fifth of the fourth column of 3.75 pixels: 30 such coins.
    assert 0.05 < (dataset.x[1::10, 0, :6, 3] == 255).mean() < 0.4


def test_an_incomplete_or_damaged_archive_of_omniglot_is_refused(tmp_path, monkeypatch):
    write_omniglot(tmp_path / "omniglot", monkeypatch)
    path = tmp_path / "omniglot" / "images_evaluation_repacked.zip"
    whole = path.read_bytes()
    monkeypatch.setitem(images.OMNIGLOT_COUNTS, "images_evaluation", 21)
    with pytest.raises(
        ValueError,
        match=r"evaluation_repacked.zip is damaged .* \(20 images instead of 21\): get it",
    ):
        data.load("omniglot", root=tmp_path)
    monkeypatch.setitem(images.OMNIGLOT_COUNTS, "images_evaluation", 20)
    place = whole.index(b"IDAT") + 6
    for damaged in (whole[:-30], whole[:place] + bytes(4) + whole[place + 4 :]):
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError,
            match="evaluation_repacked.zip is damaged or another file .*: get it again from",
        ):
            data.load("omniglot", root=tmp_path)


# ---------------------------------------------------------------- colour


def write_cifar10(root, monkeypatch, *, members=images.CIFAR10_MEMBERS, batch=4):
    (root / "cifar10").mkdir()
    records = RANDOM.integers(0, 256, (len(members), batch, 3073), dtype=np.uint8)
    records[:, :, 0] %= 10
    path = root / "cifar10" / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in zip(members, records, strict=True):
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = content.size
            archive.addfile(entry, io.BytesIO(content.tobytes()))
    monkeypatch.setattr(images, "CIFAR10_BATCH", batch)
    return path, records.reshape(-1, 3073)


def test_cifar10_is_read_from_its_binary_archive(tmp_path, monkeypatch, capsys):
    path, records = write_cifar10(tmp_path, monkeypatch)
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    dataset = data.load("cifar10", root=tmp_path, sha256=known)
    np.testing.assert_array_equal(dataset.x.reshape(24, -1), records[:, 1:])
    np.testing.assert_array_equal(dataset.labels, records[:, 0])
    assert counts(dataset) == [18, 2, 4] and (dataset.part[20:] == 3).all()
    assert capsys.readouterr().out == ""
    data.load("cifar10", root=tmp_path, allow_unverified=True)
    assert f"SHA-256 of {path}: {known}" in capsys.readouterr().out


def test_cifar10_is_not_trusted_without_a_checksum_or_leave(tmp_path, monkeypatch):
    write_cifar10(tmp_path, monkeypatch)
    with pytest.raises(
        ValueError, match="no checksum of .* is known: pass sha256=, or allow_unverified=True"
    ):
        data.load("cifar10", root=tmp_path)
    with pytest.raises(
        ValueError,
        match=r"cifar-10-binary.tar.gz is damaged or another file \(its SHA-256 differs\)",
    ):
        data.load("cifar10", root=tmp_path, sha256="0" * 64)


def test_a_damaged_archive_of_cifar10_is_refused(tmp_path, monkeypatch):
    path, _ = write_cifar10(tmp_path, monkeypatch, members=images.CIFAR10_MEMBERS[:-1])
    with pytest.raises(
        ValueError, match=r"is damaged or another file \(no whole test_batch.bin in it\)"
    ):
        data.load("cifar10", root=tmp_path, allow_unverified=True)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cifar-10-binary.tar.gz is damaged or another file"):
        data.load("cifar10", root=tmp_path, allow_unverified=True)


def test_svhn_is_turned_upright_with_zero_as_zero(tmp_path, monkeypatch):
    (tmp_path / "svhn").mkdir()
    arrays, sums = {}, {}
    for name, count in (("train_32x32.mat", 20), ("test_32x32.mat", 3)):
        arrays[name] = RANDOM.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        savemat(
            tmp_path / "svhn" / name, dict(X=arrays[name], y=np.arange(1, count + 1)[:, None] % 11)
        )
        sums[name] = md5((tmp_path / "svhn" / name).read_bytes())
    monkeypatch.setitem(sources()["svhn"], "files", sums)
    dataset = data.load("svhn", root=tmp_path)
    assert dataset.x.shape == (23, 3, 32, 32)
    np.testing.assert_array_equal(
        dataset.x[21], arrays["test_32x32.mat"][..., 1].transpose(2, 0, 1)
    )
    assert dataset.labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert counts(dataset) == [18, 2, 3]
    (tmp_path / "svhn" / "test_32x32.mat").write_bytes(b"")
    with pytest.raises(
        ValueError,
        match=r"test_32x32.mat is damaged or another file \(its MD5 differs\): delete it",
    ):
        data.load("svhn", root=tmp_path)


def write_celeba(root, *, count=6):
    folder = root / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.zeros((218, 178, 3), dtype=np.uint8)
        pixels[35:183, 15:163] = (250, 40 * i, 10)  # the central square
        Image.fromarray(pixels).save(folder / f"{i + 1:06}.jpg", quality=100, subsampling=0)
    lines = [f"{i + 1:06}.jpg {value}" for i, value in enumerate([0, 0, 0, 1, 2, 2])]
    (root / "celeba" / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")


def test_celeba_is_the_central_square_with_the_split_that_comes_with_it(tmp_path):
    write_celeba(tmp_path)
    dataset = data.load("celeba", root=tmp_path)
    assert dataset.x.shape == (6, 3, 64, 64)
    assert dataset.part.tolist() == [1, 1, 1, 2, 3, 3]
    inside = dataset.x[:, :, 2:-2, 2:-2].astype(int)
    assert np.abs(inside[:, 1] - 40 * np.arange(6)[:, None, None]).max() <= 3
    assert (inside[:, 0] > 245).all()


def test_a_damaged_set_of_faces_names_the_file_or_the_line(tmp_path):
    write_celeba(tmp_path)
    (tmp_path / "celeba" / "img_align_celeba" / "000003.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="000003.jpg cannot be read .*: get it again from https"):
        data.load("celeba", root=tmp_path)
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 3\n")
    with pytest.raises(
        ValueError, match="list_eval_partition.txt, line 2 is not an image and 0, 1 or 2"
    ):
        data.load("celeba", root=tmp_path)


# ---------------------------------------------------------------- the real files


@real
@pytest.mark.parametrize(
    "name, expected, ink, num_labels",
    [
        ("binary_mnist", [50_000, 10_000, 10_000], 0.1309, 1),
        ("omniglot", [17_352, 1_928, 13_180], 0.0805, 1623),
    ],
)
def test_the_real_sets_have_their_sizes_and_their_share_of_ink(name, expected, ink, num_labels):
    try:
        dataset = data.load(name)
    except FileNotFoundError:
        pytest.skip(f"{name} is not in the folder that {DATA_VARIABLE} names")
    assert counts(dataset) == expected
    assert (dataset.x > 0).mean() == pytest.approx(ink, abs=1e-4)
    assert len(np.unique(dataset.labels)) == num_labels


@pytest.mark.skipif(DATA_VARIABLE not in os.environ, reason=f"{DATA_VARIABLE} is not set")
def test_the_real_mnist_has_seventy_thousand_digits():
    try:
        dataset = data.load("mnist")
    except FileNotFoundError:
        pytest.skip(f"MNIST is not in the folder that {DATA_VARIABLE} names")
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
