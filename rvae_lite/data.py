"""`load(name)`: named arrays with labels, ids, the paper's partition into D1 and D2, and where they come from.

Martinez & Pearson (2021), Appendix A.  Letters: N data points.
"""

import gzip
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA_VARIABLE = "RVAE_LITE_DATA"


class Dataset(NamedTuple):
    """N examples.

    x: (N, *data), float32, or uint8 for images in 0-255.
    labels: class of each example, (N,) integers.
    ids: its name, (N,) text, stable from load to load.
    part: 1 where the example belongs to the paper's D1, 2 where to D2, (N,).
    info: name, title, source, licence, value_range; `stands_for` where it is a stand-in for another set.
    """

    x: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    part: np.ndarray
    info: dict

    def take(self, index) -> "Dataset":
        """The examples at `index` (integers, a mask or a slice)."""
        return Dataset(self.x[index], self.labels[index], self.ids[index], self.part[index], self.info)


def load(name: str, *, root=None, download: bool = False, seed: int = 0, num_examples: int | None = None) -> Dataset:
    """Load a data set by name: "eight_gaussians", "digits" or "mnist".

    Args:
        name: the first two need no files; MNIST is looked up in `root`.
        root: folder of the data sets; by default the one that RVAE_LITE_DATA names, else a user cache.
        download: fetch what is missing, checksums verified.
        seed: of the generated sets, and of the choice of `num_examples`.
        num_examples: keep so many, drawn at random without replacement; by default all.

    Raises:
        ValueError: an unknown name, or more examples asked for than there are.
        FileNotFoundError: files are missing; the message says which, from where, to put where.

    Example:
        >>> load("eight_gaussians").x.shape
        (6400, 5)
    """
    if name not in LOADERS:
        raise ValueError(f"name must be one of {sorted(LOADERS)}, not {name!r}")
    dataset = LOADERS[name](root=root, download=download, seed=seed)
    if num_examples is None:
        return dataset
    if not 1 <= num_examples <= len(dataset.x):
        raise ValueError(f"num_examples must be between 1 and {len(dataset.x)} for {name}, not {num_examples}")
    chosen = np.random.default_rng(seed).permutation(len(dataset.x))[:num_examples]
    return dataset.take(np.sort(chosen))


def data_root(root=None) -> Path:
    """The folder of the data sets: the argument, else the variable RVAE_LITE_DATA, else a user cache."""
    import pooch

    return Path(root or os.environ.get(DATA_VARIABLE) or pooch.os_cache("rvae_lite"))


def split(dataset: Dataset, *, train_fraction: float = 0.6, seed: int = 0) -> np.ndarray:
    """A random train/validation split inside each of D1 and D2 (Appendix B: 60/40): (N,) True where training."""
    if not 0 < train_fraction < 1:
        raise ValueError(f"train_fraction must be between 0 and 1, not {train_fraction}")
    random, train = np.random.default_rng(seed), np.zeros(len(dataset.part), dtype=bool)
    for part in np.unique(dataset.part):
        members = random.permutation(np.flatnonzero(dataset.part == part))
        train[members[: round(train_fraction * len(members))]] = True
    return train


def load_eight_gaussians(*, seed: int = 0, num_per_class: int = 800, **_) -> Dataset:
    """Eight unit Gaussians in 5 dimensions, their means every 45 degrees on a circle of radius 40.

    Dimensions 3 and 4 have mean 0, dimension 5 mean 1; D1 holds the four at 45 to 180 degrees.
    """
    labels = np.repeat(np.arange(8), num_per_class)
    angle = np.deg2rad(45.0 * labels)
    zero = np.zeros(len(labels))
    mean = np.stack([40 * np.cos(angle), 40 * np.sin(angle), zero, zero, zero + 1], axis=1)  # (N, 5)
    x = mean + np.random.default_rng(seed).standard_normal(mean.shape)
    info = dict(
        name="eight_gaussians",
        title="8 Gaussians",
        source="generated here, as in Martinez & Pearson (2021), Appendix A",
        licence="none needed",
        value_range=None,
    )
    ids = np.char.add("g", np.arange(len(x)).astype(str))
    part = np.where(np.isin(labels, [1, 2, 3, 4]), 1, 2)
    return Dataset(x.astype(np.float32), labels, ids, part, info)


def load_digits(**_) -> Dataset:
    """The 1,797 handwritten digits, 8x8 pixels in [0, 1], that scikit-learn ships; D1 holds 0 to 4."""
    from sklearn.datasets import load_digits as load_from_scikit_learn

    bunch = load_from_scikit_learn()
    x = (bunch.images / 16).astype(np.float32)[:, None]  # (N, 1, 8, 8)
    info = dict(
        name="digits",
        title="scikit-learn digits",
        source="Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak), test part, from scikit-learn",
        licence="CC BY 4.0",
        value_range=(0.0, 1.0),
        stands_for="MNIST",
    )
    ids = np.char.add("digit", np.arange(len(x)).astype(str))
    return Dataset(x, bunch.target, ids, np.where(bunch.target < 5, 1, 2), info)


MNIST_FILES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def load_mnist(*, root=None, download: bool = False, **_) -> Dataset:
    """MNIST's 70,000 digits, 28x28 uint8 (training set first); D1 holds 0 to 4.

    Files: <root>/mnist/*.gz or torchvision's <root>/MNIST/raw/*.gz; with `download`, torchvision fetches them.
    """
    root = data_root(root)
    folder = _mnist_folder(root)
    if folder is None and download:
        from torchvision.datasets import MNIST

        try:
            MNIST(str(root), download=True)
        except Exception as error:  # torchvision raises many kinds where no mirror answers
            raise FileNotFoundError(f"MNIST could not be downloaded: {_mnist_remedy(root)}") from error
        folder = _mnist_folder(root)
    if folder is None:
        raise FileNotFoundError(f"MNIST is not in {root}: {_mnist_remedy(root)}")
    arrays = {name: _read_idx(folder / name, md5) for name, md5 in MNIST_FILES.items()}
    images = np.concatenate([arrays["train-images-idx3-ubyte.gz"], arrays["t10k-images-idx3-ubyte.gz"]])
    labels = np.concatenate([arrays["train-labels-idx1-ubyte.gz"], arrays["t10k-labels-idx1-ubyte.gz"]]).astype(int)
    info = dict(
        name="mnist",
        title="MNIST",
        source="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits",
        licence="CC BY-SA 3.0 according to the paper",
        value_range=(0.0, 1.0),
    )
    ids = np.char.add("mnist", np.arange(len(labels)).astype(str))
    return Dataset(images[:, None], labels, ids, np.where(labels < 5, 1, 2), info)


def _mnist_folder(root: Path) -> Path | None:
    for folder in (root / "mnist", root / "MNIST" / "raw"):
        if all((folder / name).is_file() for name in MNIST_FILES):
            return folder
    return None


def _mnist_remedy(root: Path) -> str:
    return (
        f"call load('mnist', download=True) with a network, or put {', '.join(MNIST_FILES)} from a mirror of the MNIST "
        f"database into {root / 'mnist'} (root= or {DATA_VARIABLE} names another folder)"
    )


def _read_idx(path: Path, md5: str) -> np.ndarray:
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(f"{path} is damaged or another file (its MD5 differs): delete it and download it again")
    raw = gzip.decompress(content)
    ndim = raw[3]
    shape = np.frombuffer(raw, ">u4", count=ndim, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape).copy()


LOADERS = dict(eight_gaussians=load_eight_gaussians, digits=load_digits, mnist=load_mnist)
