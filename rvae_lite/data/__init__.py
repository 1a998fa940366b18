"""`load(name)`: named arrays with labels, ids, the paper's partition into D1 and D2, and where they come from.

Martinez & Pearson (2021), Appendix A.  Letters: N data points.
"""

import gzip
import hashlib
import os
from inspect import Parameter, signature
from pathlib import Path

import numpy as np

from rvae_lite.birdsong.colony import load_synthetic_finch
from rvae_lite.birdsong.loaders import load_bengalese_finch, load_zebra_finch
from rvae_lite.data import chairs, sprites
from rvae_lite.data import images as pictures
from rvae_lite.data.chair_designs import procedural_chairs
from rvae_lite.data.dataset import Dataset
from rvae_lite.data.folders import DATA_VARIABLE, another_root, data_root, permission_explained
from rvae_lite.data.renderer import AZIMUTHS, ELEVATIONS
from rvae_lite.text import reading


def load(
    name: str,
    *,
    root=None,
    download: bool = False,
    seed: int = 0,
    num_examples: int | None = None,
    **options,
) -> Dataset:
    """Load a data set by name: those of `LOADERS`.

    Args:
        name: "eight_gaussians", "digits", "binary_digits", "procedural_chairs", "procedural_sprites",
            "synthetic_finch" and "grammar_sentences" need no files; "mnist", "chairs", "zebra_finch",
            "bengalese_finch", "binary_mnist", "omniglot", "dsprites", "cifar10", "svhn", "celeba" and "yahoo" are
            looked up in `root`.
        root: folder of the data sets; by default the one that RVAE_LITE_DATA names, else a user cache.
        download: fetch what is missing, checksums verified where they are known.
        seed: of the generated sets, of a random partition, and of the choice of `num_examples`.
        num_examples: keep so many, drawn at random without replacement; by default all.
        options: those of one data set, for its function `load_<name>`.

    Raises:
        ValueError: an unknown name or option, more examples asked for than there are, or a damaged file.
        FileNotFoundError: files are missing; the message says which, from where, to put where.
        PermissionError: the files may not be read.

    Example:
        >>> load("eight_gaussians").x.shape
        (6400, 5)
    """
    if name not in LOADERS:
        raise ValueError(f"name must be one of {sorted(LOADERS)}, not {name!r}")
    known = _options(LOADERS[name])
    for option in options:
        if option not in known:
            raise ValueError(
                f"{name} takes no option {option!r}: it takes {', '.join(known) or 'none'}"
            )
    dataset = LOADERS[name](root=root, download=download, seed=seed, **options)
    if num_examples is None:
        return dataset
    if not 1 <= num_examples <= len(dataset.x):
        raise ValueError(
            f"num_examples must be between 1 and {len(dataset.x)} for {name}, not {num_examples}"
        )
    chosen = np.random.default_rng(seed).permutation(len(dataset.x))[:num_examples]
    return dataset.take(np.sort(chosen))


def _options(loader) -> list:
    keywords = (
        key
        for key, value in signature(loader).parameters.items()
        if value.kind is Parameter.KEYWORD_ONLY
    )
    return sorted(set(keywords) - {"root", "download", "seed"})


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
    mean = np.stack(
        [40 * np.cos(angle), 40 * np.sin(angle), zero, zero, zero + 1], axis=1
    )  # (N, 5)
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

    Files: <root>/mnist/*.gz or torchvision's <root>/MNIST/raw/*.gz; with `download` they are fetched into the latter.
    """
    root = data_root(root)
    with permission_explained(root):
        folder = _mnist_folder(root)
        if folder is None and download:
            folder = _download_mnist(root)
        if folder is None:
            raise FileNotFoundError(f"MNIST is not in {root}: {_mnist_remedy(root)}")
        arrays = {name: _read_idx(folder / name, md5) for name, md5 in MNIST_FILES.items()}
    images = np.concatenate(
        [arrays["train-images-idx3-ubyte.gz"], arrays["t10k-images-idx3-ubyte.gz"]]
    )
    labels = np.concatenate(
        [arrays["train-labels-idx1-ubyte.gz"], arrays["t10k-labels-idx1-ubyte.gz"]]
    ).astype(int)
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


def _download_mnist(root: Path) -> Path:
    """Fetch the files that are missing, each put in place only when it is whole; returns their folder."""
    from torchvision.datasets import MNIST

    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, md5 in MNIST_FILES.items():
            if not (folder / name).is_file():
                _fetch([mirror + name for mirror in MNIST.mirrors], folder / name, md5)
    except PermissionError:
        raise
    except Exception as error:  # torchvision raises many kinds where no mirror answers
        raise FileNotFoundError(f"MNIST could not be downloaded: {_mnist_remedy(root)}") from error
    return folder


def _fetch(addresses: list, path: Path, md5: str) -> None:
    from torchvision.datasets.utils import download_url

    partial = path.with_name(path.name + ".part")
    for address in addresses:
        try:
            download_url(address, str(path.parent), filename=partial.name, md5=md5)
            break
        except Exception:
            if address == addresses[-1]:
                raise
    os.replace(partial, path)


def _mnist_remedy(root: Path) -> str:
    return (
        f"call load('mnist', download=True) with a network, or put {', '.join(MNIST_FILES)} from a mirror of the MNIST "
        f"database into {root / 'mnist'} (root= or {DATA_VARIABLE} names another folder)"
    )


def _read_idx(path: Path, md5: str) -> np.ndarray:
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(
            f"{path} is damaged or another file (its MD5 differs): delete it and download it again"
        )
    raw = gzip.decompress(content)
    ndim = raw[3]
    shape = np.frombuffer(raw, ">u4", count=ndim, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape).copy()


def load_procedural_chairs(
    *,
    seed: int = 0,
    num_designs: int = 200,
    views_per_design: int = 16,
    partition: str = "random",
    **_,
) -> Dataset:
    """Chairs drawn at random, 64x64 uint8, from views of the 3D Chairs set: 3,200 images by default.

    Args:
        seed: of the designs, the choice of their views, and the partition.
        num_designs: number of chairs; the labels count them.
        views_per_design: how many of its 62 views each has.
        partition: D1 holds half of the images ("random", as in the paper) or half of the chairs ("model").
    """
    split_in_two = chairs.select_partition(partition)
    renders = procedural_chairs(
        seed=seed, num_designs=num_designs, views_per_design=views_per_design
    )
    elevations, azimuths = (
        ELEVATIONS.astype(int)[renders.elevation],
        AZIMUTHS.astype(int)[renders.azimuth],
    )
    views = zip(renders.design.tolist(), elevations.tolist(), azimuths.tolist(), strict=True)
    ids = np.array(
        [
            f"chair{design:03d}-p{elevation:03d}-t{azimuth:03d}"
            for design, elevation, azimuth in views
        ]
    )
    info = dict(
        name="procedural_chairs",
        title="procedural chairs",
        source="generated here, with the views of the 3D Chairs set",
        licence="none needed",
        value_range=(0.0, 1.0),
        stands_for="3D Chairs",
    )
    return Dataset(renders.images, renders.design, ids, split_in_two(renders.design, seed), info)


def load_chairs(
    *,
    root=None,
    download: bool = False,
    seed: int = 0,
    partition: str = "random",
    on_corrupt: str = "refuse",
) -> Dataset:
    """3D Chairs: 86,366 renders of 1,393 models, grey, cropped, 64x64 uint8; the labels count the models.

    Files: <root>/rendered_chairs or rendered_chairs.tar; what is read once is kept in <root>/chairs_cache.

    Args:
        root: folder of the data sets.
        download: no checksum of the archive is known, so this only changes the message where it is missing.
        seed: of the partition.
        partition: D1 holds half of the images ("random", as in the paper) or half of the models ("model").
        on_corrupt: "refuse" a set with an unreadable image, or "skip" such images: a warning and `info` count them.
    """
    split_in_two = chairs.select_partition(partition)
    root = data_root(root)
    with permission_explained(root):
        path = chairs.find_source(root)
        if path is None:
            raise FileNotFoundError(_missing_chairs(root, download))
        loaded = chairs.load_images(
            path, cache=root / "chairs_cache" / "chairs_64.npz", on_corrupt=on_corrupt
        )
    count = len(loaded.ids)
    models = np.array([name.rsplit("-", 2)[0] for name in loaded.ids.tolist()])
    labels = np.unique(models, return_inverse=True)[1]
    info = dict(
        name="chairs",
        title="3D Chairs"
        if count == chairs.NUM_IMAGES
        else f"3D Chairs ({count:,} of {chairs.NUM_IMAGES:,} images)",
        source=f"M. Aubry et al. (2014), Seeing 3D Chairs, {chairs.PAGE}",
        licence="not stated by its source",
        value_range=(0.0, 1.0),
        preprocessing=chairs.PREPROCESSING,
        skipped=len(loaded.skipped),
    )
    return Dataset(loaded.images, labels, loaded.ids, split_in_two(labels, seed), info)


def _missing_chairs(root: Path, download: bool) -> str:
    refusal = (
        "cannot be downloaded for you, as no checksum of it is known"
        if download
        else f"is not in {root}"
    )
    where = f"the Seeing 3D Chairs page of WILLOW/INRIA ({chairs.PAGE})"
    put = f"put it, or the folder rendered_chairs that it holds, into {root}"
    return f"3D Chairs {refusal}: fetch rendered_chairs.tar from {where} and {put}; or {another_root()}"


LOADERS = dict(
    eight_gaussians=load_eight_gaussians,
    digits=load_digits,
    procedural_chairs=load_procedural_chairs,
    synthetic_finch=load_synthetic_finch,
    mnist=load_mnist,
    chairs=load_chairs,
    zebra_finch=load_zebra_finch,
    bengalese_finch=load_bengalese_finch,
    binary_digits=pictures.load_binary_digits,
    binary_mnist=pictures.load_binary_mnist,
    omniglot=pictures.load_omniglot,
    procedural_sprites=sprites.load_procedural_sprites,
    dsprites=sprites.load_dsprites,
    cifar10=pictures.load_cifar10,
    svhn=pictures.load_svhn,
    celeba=pictures.load_celeba,
    grammar_sentences=reading.load_grammar_sentences,
    yahoo=reading.load_yahoo,
)
