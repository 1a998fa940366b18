"""Colour images, 32x32: parts of CIFAR-10 and of SVHN, and small landscapes drawn here.

Bae et al. (2023), Section 5.2, on all of CIFAR-10 and SVHN.  Letters: N images.
"""

import io

import numpy as np

from rvae_lite.data.dataset import TEST, TRAIN, Dataset, draw_parts, draw_validation, in_parts
from rvae_lite.data.folders import damaged, folder_of, info_of, sources, verified

SIDE = 32
CIFAR10_TEST = 1000  # images of the random ones that are the test set
NEIGHBOURS = 100  # images in a row of SVHN that stay in one part
NORMS = dict(diamond=1.0, disc=2.0, square=8.0)  # p of |u|^p + |v|^p = 1


def load_cifar10_part(*, root=None, seed: int = 0) -> Dataset:
    """5,971 of the 50,000 training images of CIFAR-10, none of its test images.

    The test set is 1,000 of the 4,000 images that are a random sample, always the same ones.  The
    other 1,971 are in the training or the validation set: they were chosen because JPEG hurts them
    little, so they are smoother than most.  A tenth of what is not test is the validation set.

    File: <root>/cifar10_part/cifar10_lossless_5971.npz (checksum verified).

    root, seed: as in `data.load`.
    """
    arrays = _read_part("cifar10_part", root, ["images", "labels", "origin"])
    sample = np.flatnonzero(arrays["origin"] == 0)
    part = np.full(len(arrays["origin"]), TRAIN)
    part[sample[-CIFAR10_TEST:]] = TEST
    return _of_part("cifar10_part", arrays, draw_validation(part, seed))


def load_svhn_part(*, root=None, seed: int = 0) -> Dataset:
    """The first 10,000 of SVHN's 26,032 test images, in three parts of their own.

    Neighbouring images are digits of one house number, so runs of 100 go into one part together:
    20 % are the test set, 8 % the validation set.

    File: <root>/svhn_part/svhn_test_first10000.npz (checksum verified).

    root, seed: as in `data.load`; the seed is that of the split.
    """
    arrays = _read_part("svhn_part", root, ["images", "labels"])
    runs = draw_parts(-(-len(arrays["labels"]) // NEIGHBOURS), seed)
    part = runs.repeat(NEIGHBOURS)[: len(arrays["labels"])]
    return _of_part("svhn_part", arrays, part)


def _read_part(name: str, root, members: list[str]) -> dict[str, np.ndarray]:
    """Members of a set's one file: images, (N, 32, 32, 3) uint8, and integers, (N,)."""
    (file,) = sources()[name]["files"]
    with folder_of(name, root) as folder:
        content = verified(name, folder / file)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {member: archive[member] for member in members}
        _check(**arrays)
    except Exception as error:  # of many kinds, as the file is damaged in many ways
        raise damaged(name, folder / file, error) from error
    return arrays


def _check(images: np.ndarray, **integers: np.ndarray) -> None:
    """Refuse arrays of another form."""
    count = len(images)
    if images.dtype != np.uint8 or images.shape != (count, SIDE, SIDE, 3) or not count:
        found = f"{images.dtype} {images.shape}"
        raise ValueError(f"images must be uint8 (N, {SIDE}, {SIDE}, 3), not {found}")
    for name, values in integers.items():
        if values.dtype.kind not in "iu" or values.shape != (count,):
            found = f"{values.dtype} {values.shape}"
            raise ValueError(f"{name} must be {count:,} integers, not {found}")


def _of_part(name: str, arrays: dict[str, np.ndarray], part: np.ndarray) -> Dataset:
    images = np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2))  # (N, 3, 32, 32)
    return in_parts(images, part, info_of(name), labels=arrays["labels"].astype(int))


def load_procedural_colour(*, seed: int = 0, num_images: int = 4000) -> Dataset:
    """Landscapes: a bright sky above a dark ground, and before them a diamond, disc or square.

    The labels are the shapes.  Colours, sizes and places are drawn evenly; no two images are alike.

    seed: of the images and of the split in `draw_parts`; num_images: N.
    """
    if num_images < 1:
        raise ValueError(f"num_images must be positive, not {num_images}")
    random = np.random.default_rng(seed)
    labels = random.integers(len(NORMS), size=num_images)

    def drawn(low: float, high: float, colours: int = 1) -> np.ndarray:
        values = random.uniform(low, high, (num_images, colours, 1, 1))
        return values.astype(np.float32)

    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    # The horizon: tilted, and more or less blurred
    below = (y + drawn(-0.5, 0.5) * x - drawn(-0.4, 0.4)) / drawn(0.03, 0.5)
    images = _blend(drawn(0.5, 1, 3), drawn(0, 0.5, 3), 0.5 + 0.5 * np.tanh(below))
    # The shape: turned, one pixel of its edge blurred
    angle, radius = drawn(0, 2 * np.pi), drawn(0.2, 0.5)
    right, down = x - drawn(-0.5, 0.5), y - drawn(-0.5, 0.5)
    u = np.cos(angle) * right + np.sin(angle) * down
    v = np.cos(angle) * down - np.sin(angle) * right
    norm = np.array(list(NORMS.values()), np.float32)[labels, None, None, None]
    distance = (abs(u / radius) ** norm + abs(v / radius) ** norm) ** (1 / norm)
    inside = np.clip(0.5 + (1 - distance) * radius * SIDE / 2, 0, 1)
    images = np.rint(255 * _blend(images, drawn(0, 1, 3), inside)).astype(np.uint8)
    info = info_of("procedural_colour", label_names=list(NORMS))
    return in_parts(images, draw_parts(num_images, seed), info, labels=labels)


def _blend(behind: np.ndarray, before: np.ndarray, share: np.ndarray) -> np.ndarray:
    return behind * (1 - share) + before * share
