"""Sets of real images: MNIST, and those that come in training, validation and test set.

Martinez & Pearson (2021), Appendix A, for MNIST; Bae et al. (2023), Section 5, for the others.
Binary images are uint8, 0 and 255, so that they become 0 and 1 in the model's units.
The loaders' root, download and seed are those of `data.load`.  Letters: N images, H pixels a side.
"""

import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rvae_lite.data.dataset import TEST, TRAIN, VALID, Dataset, draw_validation, in_parts, numbered
from rvae_lite.data.folders import damaged, folder_of, info_of, sources, verified
from rvae_lite.readers.limits import Unsuitable, check_memory, limit_of
from rvae_lite.readers.pictures import decode

BINARY_MNIST_COUNTS = (50_000, 10_000, 10_000)
OMNIGLOT_COUNTS = dict(images_background=19_280, images_evaluation=13_180)
CIFAR10_MEMBERS = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
CIFAR10_BATCH = 10_000
CIFAR10_RECORD = 1 + 3 * 32 * 32  # bytes: a label, then red, green and blue
CELEBA_CROP, CELEBA_SIZE = 148, 64


def averaged(x: np.ndarray, side: int | None) -> np.ndarray:
    """Square images (N, 1, H, H) averaged over blocks down to (N, 1, side, side), uint8 if x is."""
    if side is None or side == x.shape[-1]:
        return x
    if side < 1 or x.shape[-1] % side:
        raise ValueError(f"side must divide {x.shape[-1]}, the images' own, not be {side}")
    block = x.shape[-1] // side
    mean = x.reshape(len(x), 1, side, block, side, block).mean((3, 5), dtype=np.float32)
    return np.rint(mean).astype(np.uint8) if x.dtype == np.uint8 else mean


def load_mnist(*, root=None, download: bool = False) -> Dataset:
    """MNIST's 70,000 digits, 28x28 uint8 (training set first); D1 holds 0 to 4.

    Files: <root>/mnist/*.gz or torchvision's <root>/MNIST/raw/*.gz, where downloads go.
    """
    with folder_of("mnist", root, download=download) as folder:
        arrays = [_read_idx(folder / name) for name in sources()["mnist"]["files"]]
    images = np.concatenate(arrays[::2])[:, None]  # (N, 1, 28, 28)
    labels = np.concatenate(arrays[1::2]).astype(int)
    part = np.where(labels < 5, 1, 2)
    info = info_of("mnist", value_range=(0.0, 1.0))
    return Dataset(images, labels, numbered("mnist", len(labels)), part, info)


def _read_idx(path: Path) -> np.ndarray:
    content = gzip.decompress(verified("mnist", path))
    ndim = content[3]
    shape = np.frombuffer(content, ">u4", count=ndim, offset=4).astype(int)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * ndim).reshape(shape).copy()


def load_binary_mnist(*, root=None, download: bool = False) -> Dataset:
    """Statically binarised MNIST: 50,000 + 10,000 + 10,000 images in three parts; no labels.

    Files: <root>/binarized_mnist/binarized_mnist_{train,valid,test}.amat, the original text
    (checksum verified), or MATLAB files of these names with one matrix X, (N, 784), of 0 and 1.
    """
    with folder_of("binary_mnist", root, download=download) as folder:
        files = zip(sources()["binary_mnist"]["files"], BINARY_MNIST_COUNTS, strict=True)
        pixels = [_read_amat(folder / name, count) for name, count in files]
    images = 255 * np.concatenate(pixels).astype(np.uint8).reshape(-1, 1, 28, 28)
    part = np.repeat([TRAIN, VALID, TEST], BINARY_MNIST_COUNTS)
    return in_parts(images, part, info_of("binary_mnist"))


def _read_amat(path: Path, count: int) -> np.ndarray:
    """Zeros and ones, (count, 784), from a MATLAB file or the original text."""
    with path.open("rb") as file:
        matlab = file.read(6) == b"MATLAB"
    if matlab:
        pixels = _read_matrix(path)
    else:
        characters = np.frombuffer(verified("binary_mnist", path), np.uint8)
        pixels = characters[(characters == ord("0")) | (characters == ord("1"))] - ord("0")
        if pixels.size == 784 * count:
            pixels = pixels.reshape(count, 784)
    if pixels.shape != (count, 784) or not np.isin(pixels, (0, 1)).all():
        reason = f"it must hold {count:,} rows of 784 zeros and ones"
        raise damaged("binary_mnist", path, reason)
    return pixels


def _read_matrix(path: Path) -> np.ndarray:
    """The matrix X of a MATLAB file of which no checksum is known; empty if there is none."""
    from rvae_lite.readers.mat5 import read_mat5

    try:
        return read_mat5(path, ["X"]).get("X", np.empty(0))
    except ValueError as error:
        raise damaged("binary_mnist", path, "not a readable MATLAB file") from error


def _read_mat(name: str, path: Path, content: bytes) -> dict:
    from scipy.io import loadmat

    try:
        return loadmat(io.BytesIO(content))
    except Exception as error:  # of many kinds, as the file is damaged in many ways
        raise damaged(name, path, "not a readable MATLAB file") from error


def load_omniglot(*, root=None, seed: int = 0) -> Dataset:
    """Omniglot: 32,460 characters by hand, 28x28, binary, ink 255; labels count 1,623 characters.

    Files: <root>/omniglot/images_background*.zip and images_evaluation*.zip, or the same in
    <root>/omniglot-py.  An image of 105x105 is averaged to 28x28, and each pixel becomes 1 with the
    probability that is its share of ink, drawn once.  The evaluation alphabets are the test set, a
    random 10 % of the background images the validation set: not the split of Burda et al. (2016),
    which other publications use.
    """
    with folder_of("omniglot", root) as folder:
        background = list(_omniglot_drawings(folder, "images_background"))
        evaluation = list(_omniglot_drawings(folder, "images_evaluation"))
    names, drawings = zip(*background, *evaluation, strict=True)
    part = np.repeat([TRAIN, TEST], [len(background), len(evaluation)])
    ink = np.stack(drawings)[:, None] / 255  # (N, 1, 28, 28)
    binary = np.random.default_rng(seed).random(ink.shape) < ink
    images = np.where(binary, 255, 0).astype(np.uint8)
    labels = np.unique([name.rsplit("/", 1)[0] for name in names], return_inverse=True)[1]
    how = "105x105 averaged to 28x28, each pixel drawn once with the probability of its ink"
    info = info_of("omniglot", binarisation=f"{how}, seed {seed}")
    return in_parts(images, draw_validation(part, seed), info, labels=labels)


def _omniglot_drawings(folder: Path, which: str) -> Iterator[tuple[str, np.ndarray]]:
    """The name <alphabet>/<character>/<drawing> and the ink, (28, 28) in 0-255, of each drawing."""
    from PIL import Image

    path = min(folder.glob(f"{which}*.zip"))
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".png"))
            if len(names) != OMNIGLOT_COUNTS[which]:
                found = f"{len(names):,} images instead of {OMNIGLOT_COUNTS[which]:,}"
                raise damaged("omniglot", path, found)
            for name in names:
                check_memory(archive.getinfo(name).file_size, limit_of(0))
                paper = Image.fromarray(decode(archive.read(name))[0]).convert("L")
                paper = paper.resize((28, 28), Image.Resampling.BOX)
                yield name.removesuffix(".png").split("/", 1)[1], 255 - np.asarray(paper)
    except PermissionError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, SyntaxError, Unsuitable) as error:
        raise damaged("omniglot", path, error) from error


def load_cifar10(
    *, root=None, seed: int = 0, sha256: str | None = None, allow_unverified: bool = False
) -> Dataset:
    """CIFAR-10: 60,000 photographs of 10 classes, 32x32; 5,000 of them are the validation set.

    File: <root>/cifar10/cifar-10-binary.tar.gz, the archive for C programs, which stays packed.

    Args:
        sha256: checksum of the archive; none is known here.
        allow_unverified: take the archive without a checksum, and print the one it has.
    """
    with folder_of("cifar10", root) as folder:
        path = folder / "cifar-10-binary.tar.gz"
        _check_archive(path, sha256, allow_unverified)
        records = _read_cifar10(path)
    part = np.where(np.arange(len(records)) < 5 * CIFAR10_BATCH, TRAIN, TEST)
    images, labels = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(int)
    return in_parts(images, draw_validation(part, seed), info_of("cifar10"), labels=labels)


def _check_archive(path: Path, sha256: str | None, allow_unverified: bool) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is None and not allow_unverified:
        remedy = "pass sha256=, or allow_unverified=True to trust it and see its checksum"
        raise ValueError(f"no checksum of {path} is known: {remedy}")
    if sha256 is None:
        print(f"SHA-256 of {path}: {found} (pass it as sha256= next time)")
    elif found != sha256:
        raise damaged("cifar10", path, "its SHA-256 differs", remedy="delete it and get it again")


def _read_cifar10(path: Path) -> np.ndarray:
    """The records of the six batches, (N, 3073) uint8."""
    batches = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.isreg() and member.size == CIFAR10_BATCH * CIFAR10_RECORD:
                    content = archive.extractfile(member).read()
                    batches[Path(member.name).name] = np.frombuffer(content, np.uint8)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise damaged("cifar10", path, error) from error
    for name in CIFAR10_MEMBERS:
        if name not in batches:
            raise damaged("cifar10", path, f"no whole {name} in it")
    records = np.concatenate([batches[name] for name in CIFAR10_MEMBERS])
    return records.reshape(-1, CIFAR10_RECORD)


def load_svhn(*, root=None, download: bool = False, seed: int = 0) -> Dataset:
    """SVHN: 73,257 and 26,032 house numbers, 32x32; 10 % of the training images for validation.

    Files: <root>/svhn/train_32x32.mat and test_32x32.mat.
    """
    arrays = []
    with folder_of("svhn", root, download=download) as folder:
        for name in sources()["svhn"]["files"]:
            content = verified("svhn", folder / name)
            arrays.append(_read_mat("svhn", folder / name, content))
    images = np.concatenate([array["X"].transpose(3, 2, 0, 1) for array in arrays])
    digits = np.concatenate([array["y"].ravel() for array in arrays]).astype(int)
    part = np.repeat([TRAIN, TEST], [array["y"].size for array in arrays])
    labels = digits % 10  # the files call a zero 10
    return in_parts(images, draw_validation(part, seed), info_of("svhn"), labels=labels)


def load_celeba(*, root=None) -> Dataset:
    """CelebA: 202,599 faces, 64x64 in colour, in the parts that come with them; about 2.5 GB.

    Files: <root>/celeba/list_eval_partition.txt and the folder <root>/celeba/img_align_celeba.  The
    reader downloads them, as their terms forbid passing them on.  The central 148x148 of 178x218 is
    averaged to 64x64.  There are no labels.
    """
    with folder_of("celeba", root) as folder:
        names, part = _read_partition(folder / "list_eval_partition.txt")
        images = np.empty((len(names), 3, CELEBA_SIZE, CELEBA_SIZE), dtype=np.uint8)
        for i, name in enumerate(names):
            images[i] = _read_face(folder / "img_align_celeba" / name)
    return in_parts(images, part, info_of("celeba"))


def _read_partition(path: Path) -> tuple[list[str], np.ndarray]:
    """The name of each image, and its part, (N,)."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or row[1] not in ("0", "1", "2"):
            reason = f"{path}, line {number} is not an image and 0, 1 or 2"
            raise ValueError(f"{reason}: get it again from {sources()['celeba']['page']}")
    return [row[0] for row in rows], np.array([int(row[1]) + 1 for row in rows])


def _read_face(path: Path) -> np.ndarray:
    """The central square of one image, averaged, (3, 64, 64) uint8."""
    from PIL import Image

    try:
        image = Image.fromarray(decode(path.read_bytes())[0]).convert("RGB")
    except PermissionError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        page = sources()["celeba"]["page"]
        raise ValueError(f"{path} cannot be read ({error}): get it again from {page}") from error
    left, top = ((side - CELEBA_CROP) // 2 for side in image.size)
    face = image.crop((left, top, left + CELEBA_CROP, top + CELEBA_CROP))
    face = face.resize((CELEBA_SIZE, CELEBA_SIZE), Image.Resampling.BOX)
    return np.asarray(face).transpose(2, 0, 1)
