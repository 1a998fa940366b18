"""Images with a split into training, validation and test set, for `data.load`: those of Bae et al. (2023), and digits.

In these sets `part` is 1 where an example belongs to the training set, 2 to the validation set, 3 to the test set.
Binary images are uint8, 0 and 255, so that they become 0 and 1 in the model's units.  Letters: N images.
"""

import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rvae_lite.data.dataset import PARTS, TEST, TRAIN, VALID, Dataset, draw_parts, draw_validation
from rvae_lite.data.folders import (
    another_root,
    damaged,
    data_root,
    permission_explained,
    require_files,
    verified,
)

BINARY_MNIST_PAGE = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
BINARY_MNIST_FILES = {
    "binarized_mnist_train.amat": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    "binarized_mnist_valid.amat": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    "binarized_mnist_test.amat": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
}
BINARY_MNIST_COUNTS = (50_000, 10_000, 10_000)

OMNIGLOT_PAGE = "https://github.com/brendenlake/omniglot"
OMNIGLOT_COUNTS = dict(images_background=19_280, images_evaluation=13_180)

CIFAR10_PAGE, CIFAR10_ARCHIVE = (
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "cifar-10-binary.tar.gz",
)
CIFAR10_MEMBERS = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
CIFAR10_BATCH, CIFAR10_RECORD = 10_000, 1 + 3 * 32 * 32

SVHN_PAGE = "http://ufldl.stanford.edu/housenumbers/"
SVHN_FILES = {
    "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}

CELEBA_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
CELEBA_CROP, CELEBA_SIZE = 148, 64


def load_binary_digits(*, seed: int = 0, threshold: float = 0.5, **_) -> Dataset:
    """scikit-learn's 1,797 digits, 8x8, binary: 255 where a pixel exceeds `threshold` of full ink, else 0.

    Args:
        seed: of the split at random: 20 % are the test set, 10 % of the rest the validation set.
        threshold: between 0 and 1.
    """
    from sklearn.datasets import load_digits

    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1, not {threshold}")
    bunch = load_digits()
    ink = bunch.images > 16 * threshold
    part = draw_parts(len(ink), seed)
    info = dict(
        name="binary_digits",
        title="binary digits",
        source="Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak), test part, from scikit-learn",
        licence="CC BY 4.0",
        stands_for="static binary MNIST",
        binarisation=f"1 above {threshold} of full ink",
    )
    return _dataset(_binary(ink[:, None]), part, info, labels=bunch.target)


def load_binary_mnist(*, root=None, download: bool = False, **_) -> Dataset:
    """Statically binarised MNIST: 50,000, 10,000 and 10,000 images for training, validation and test; no labels.

    Files: <root>/binarized_mnist/binarized_mnist_{train,valid,test}.amat, the original text (checksum verified), or
    MATLAB files of the same name with one matrix X, (N, 784), of zeros and ones.
    """
    root = data_root(root)
    folder = root / "binarized_mnist"
    files = {name: f"sha256:{known}" for name, known in BINARY_MNIST_FILES.items()}
    with permission_explained(root):
        require_files(
            "binary_mnist",
            "static binary MNIST",
            folder,
            page=BINARY_MNIST_PAGE,
            files=files,
            download=download,
        )
        pieces = [
            _read_amat(folder / name, known, count)
            for (name, known), count in zip(
                BINARY_MNIST_FILES.items(), BINARY_MNIST_COUNTS, strict=True
            )
        ]
    info = dict(
        name="binary_mnist",
        title="static binary MNIST",
        source=f"H. Larochelle, binarisation of MNIST as in Salakhutdinov & Murray (2008), {BINARY_MNIST_PAGE}",
        licence="not stated by its source",
    )
    part = np.repeat([TRAIN, VALID, TEST], [len(piece) for piece in pieces])
    return _dataset(_binary(np.concatenate(pieces)), part, info)


def load_omniglot(*, root=None, seed: int = 0, **_) -> Dataset:
    """Omniglot: 32,460 handwritten characters, 28x28, binary, ink 255; the labels count the 1,623 characters.

    Files: <root>/omniglot/images_background*.zip and images_evaluation*.zip (or <root>/omniglot-py).  An image of
    105x105 is averaged to 28x28 and each pixel is 1 with the probability that is its share of ink, drawn once.
    The evaluation alphabets are the test set, a random 10 % of the background images the validation set: not the
    split of Burda et al. (2016), which other publications use.

    Args:
        root: folder of the data sets.
        seed: of the binarisation and of the validation set.
    """
    root, images, names, part = data_root(root), [], [], []
    with permission_explained(root):
        for which, value in (("images_background", TRAIN), ("images_evaluation", TEST)):
            for name, image in _omniglot_images(_omniglot_archive(root, which), which):
                images.append(image)
                names.append(name)
                part.append(value)
    ink = np.stack(images)[:, None] / 255  # (N, 1, 28, 28)
    binary = np.random.default_rng(seed).random(ink.shape) < ink
    characters = [name.rsplit("/", 1)[0] for name in names]
    info = dict(
        name="omniglot",
        title="Omniglot",
        source=f"B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum (2015), {OMNIGLOT_PAGE}",
        licence="MIT",
        binarisation=f"105x105 averaged to 28x28, each pixel drawn once with the probability of its ink, seed {seed}",
    )
    labels = np.unique(characters, return_inverse=True)[1]
    return _dataset(_binary(binary), draw_validation(np.array(part), seed), info, labels=labels)


def load_cifar10(
    *, root=None, seed: int = 0, sha256: str | None = None, allow_unverified: bool = False, **_
) -> Dataset:
    """CIFAR-10: 60,000 photographs, 32x32 in colour, of 10 classes; 5,000 training images are the validation set.

    File: <root>/cifar10/cifar-10-binary.tar.gz, the archive for C programs, never unpickled and never unpacked.

    Args:
        root: folder of the data sets.
        seed: of the validation set.
        sha256: checksum of the archive; none is known here.
        allow_unverified: take the archive without a checksum, and print the one it has.
    """
    root = data_root(root)
    path = root / "cifar10" / CIFAR10_ARCHIVE
    with permission_explained(root):
        require_files(
            "cifar10", "CIFAR-10", path.parent, page=CIFAR10_PAGE, files={path.name: None}
        )
        _verify_archive(path, sha256, allow_unverified)
        records = np.concatenate(_read_cifar10(path))  # (N, 3073)
    part = draw_validation(np.where(np.arange(len(records)) < 5 * CIFAR10_BATCH, TRAIN, TEST), seed)
    source = f"A. Krizhevsky (2009), {CIFAR10_PAGE}"
    info = dict(name="cifar10", title="CIFAR-10", source=source, licence="not stated by its source")
    return _dataset(
        records[:, 1:].reshape(-1, 3, 32, 32), part, info, labels=records[:, 0].astype(int)
    )


def load_svhn(*, root=None, download: bool = False, seed: int = 0, **_) -> Dataset:
    """SVHN: 73,257 and 26,032 house numbers, 32x32 in colour; 10 % of the training images are the validation set.

    Files: <root>/svhn/train_32x32.mat and test_32x32.mat.
    """
    root = data_root(root)
    folder = root / "svhn"
    files = {name: f"md5:{known}" for name, known in SVHN_FILES.items()}
    with permission_explained(root):
        require_files("svhn", "SVHN", folder, page=SVHN_PAGE, files=files, download=download)
        arrays = [
            _loadmat(verified(folder / name, "md5", known), folder / name)
            for name, known in SVHN_FILES.items()
        ]
    images = np.concatenate(
        [array["X"].transpose(3, 2, 0, 1) for array in arrays]
    )  # (N, 3, 32, 32)
    labels = (
        np.concatenate([array["y"].ravel() for array in arrays]).astype(int) % 10
    )  # the files call a zero 10
    part = draw_validation(np.repeat([TRAIN, TEST], [array["y"].size for array in arrays]), seed)
    source = f"Y. Netzer et al. (2011), Street View House Numbers, {SVHN_PAGE}"
    info = dict(
        name="svhn",
        title="SVHN",
        source=source,
        licence="non-commercial use only, according to its source",
    )
    return _dataset(images, part, info, labels=labels)


def load_celeba(*, root=None, **_) -> Dataset:
    """CelebA: 202,599 faces, 64x64 in colour, with the split that comes with them; no labels.  About 2.5 GB.

    Files: <root>/celeba/list_eval_partition.txt and the folder <root>/celeba/img_align_celeba, which the reader
    downloads: its terms forbid passing it on.  The central 148x148 of 178x218 is averaged to 64x64.
    """
    root = data_root(root)
    folder = root / "celeba"
    files = {"list_eval_partition.txt": None, "img_align_celeba": None}
    with permission_explained(root):
        require_files("celeba", "CelebA", folder, page=CELEBA_PAGE, files=files)
        names, part = _read_partition(folder / "list_eval_partition.txt")
        images = np.empty((len(names), 3, CELEBA_SIZE, CELEBA_SIZE), dtype=np.uint8)
        for i, name in enumerate(names):
            images[i] = _read_face(folder / "img_align_celeba" / name)
    source = f"Z. Liu, P. Luo, X. Wang and X. Tang (2015), {CELEBA_PAGE}"
    info = dict(
        name="celeba", title="CelebA 64x64", source=source, licence="non-commercial research only"
    )
    return _dataset(images, part, info)


def _dataset(images: np.ndarray, part: np.ndarray, info: dict, *, labels=None) -> Dataset:
    ids = np.char.add(info["name"], np.arange(len(images)).astype(str))
    labels = np.zeros(len(images), dtype=int) if labels is None else labels
    return Dataset(images, labels, ids, part, info | dict(value_range=(0.0, 1.0), parts=PARTS))


def _binary(values: np.ndarray) -> np.ndarray:
    return np.where(values, 255, 0).astype(np.uint8)


def _loadmat(content: bytes, path: Path) -> dict:
    from scipy.io import loadmat

    try:
        return loadmat(io.BytesIO(content))
    except Exception as error:  # of many kinds, as the file is damaged in many ways
        raise ValueError(f"{damaged(path)} (not a readable MATLAB file): get it again") from error


def _read_amat(path: Path, sha256: str, count: int) -> np.ndarray:
    """Zeros and ones, (count, 1, 28, 28), from a MATLAB file or the original text."""
    with path.open("rb") as file:
        is_matlab = file.read(6) == b"MATLAB"
    if is_matlab:
        pixels = _loadmat(path.read_bytes(), path).get("X")
    else:
        characters = np.frombuffer(verified(path, "sha256", sha256), np.uint8)
        pixels = characters[(characters == ord("0")) | (characters == ord("1"))] - ord("0")
        pixels = pixels.reshape(-1, 784) if pixels.size % 784 == 0 else None
    if pixels is None or pixels.shape != (count, 784) or not np.isin(pixels, (0, 1)).all():
        raise ValueError(
            f"{damaged(path)} (it must hold {count:,} rows of 784 zeros and ones): get it again"
        )
    return pixels.reshape(-1, 1, 28, 28)


def _omniglot_archive(root: Path, which: str) -> Path:
    for folder in (root / "omniglot", root / "omniglot-py"):
        found = sorted(folder.glob(f"{which}*.zip"))
        if found:
            return found[0]
    remedy = f"put {which}.zip from {OMNIGLOT_PAGE} (folder python) into {root / 'omniglot'}, or {another_root()}"
    raise FileNotFoundError(f"Omniglot is not in {root}: {remedy}")


def _omniglot_images(path: Path, which: str) -> Iterator[tuple[str, np.ndarray]]:
    """The name <alphabet>/<character>/<drawing> and the share of ink, (28, 28) in 0-255, of each image."""
    from PIL import Image

    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".png"))
            if len(names) != OMNIGLOT_COUNTS[which]:
                found = f"{len(names):,} images instead of {OMNIGLOT_COUNTS[which]:,}"
                raise ValueError(f"{damaged(path)} ({found}): get it again from {OMNIGLOT_PAGE}")
            for name in names:
                paper = (
                    Image.open(io.BytesIO(archive.read(name)))
                    .convert("L")
                    .resize((28, 28), Image.Resampling.BOX)
                )
                yield name.removesuffix(".png").split("/", 1)[1], 255 - np.asarray(paper)
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{damaged(path)} ({error}): get it again from {OMNIGLOT_PAGE}") from error


def _verify_archive(path: Path, sha256: str | None, allow_unverified: bool) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is None and not allow_unverified:
        remedy = "pass sha256=, or allow_unverified=True to trust it and see its checksum"
        raise ValueError(f"no checksum of {path} is known: {remedy}")
    if sha256 is None:
        print(f"SHA-256 of {path}: {found} (pass it as sha256= next time)")
    elif found != sha256:
        raise ValueError(f"{damaged(path)} (its SHA-256 differs): delete it and download it again")


def _read_cifar10(path: Path) -> list[np.ndarray]:
    """The six batches, each (10000, 3073) bytes: a label, then red, green and blue."""
    batches, wanted = {}, CIFAR10_BATCH * CIFAR10_RECORD
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if member.isreg() and name in CIFAR10_MEMBERS and member.size == wanted:
                    batches[name] = np.frombuffer(archive.extractfile(member).read(), np.uint8)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ValueError(f"{damaged(path)} ({error}): delete it and download it again") from error
    missing = [name for name in CIFAR10_MEMBERS if name not in batches]
    if missing:
        raise ValueError(
            f"{damaged(path)} (no whole {missing[0]} in it): delete it and download it again"
        )
    return [batches[name].reshape(-1, CIFAR10_RECORD) for name in CIFAR10_MEMBERS]


def _read_partition(path: Path) -> tuple[list[str], np.ndarray]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or row[1] not in ("0", "1", "2"):
            raise ValueError(
                f"{path}, line {number} is not an image and 0, 1 or 2: get it again from {CELEBA_PAGE}"
            )
    return [row[0] for row in rows], np.array([int(row[1]) + 1 for row in rows])


def _read_face(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            left, top = ((side - CELEBA_CROP) // 2 for side in image.size)
            face = image.convert("RGB").crop((left, top, left + CELEBA_CROP, top + CELEBA_CROP))
            return np.asarray(
                face.resize((CELEBA_SIZE, CELEBA_SIZE), Image.Resampling.BOX)
            ).transpose(2, 0, 1)
    except (OSError, SyntaxError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(
            f"{path} cannot be read ({error}): get it again from {CELEBA_PAGE}"
        ) from error
