"""Sprites with known factors: dSprites from its file, and squares, ellipses and hearts drawn here.

Bae et al. (2023), Section 5.3, and Chen et al. (2018) train on dSprites (Matthey et al., 2017): one
image for every combination of shape, scale (0.5 to 1), orientation (counter-clockwise), x (to the
right) and y (downwards).  A square looks the same every 90 degrees and an ellipse every 180: no
model can tell these orientations apart.  Letters: N images, H pixels a side.
"""

import io
import math
import zipfile
from pathlib import Path

import numpy as np

from rvae_lite.data import folders
from rvae_lite.data.dataset import PARTS, Dataset, draw_parts, numbered
from rvae_lite.readers.limits import Unsuitable
from rvae_lite.readers.npy import read_member

FACTORS = ["shape", "scale", "orientation", "x", "y"]
SHAPES = ["square", "ellipse", "heart"]
DSPRITES_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
DSPRITES_COUNT, DSPRITES_SIDE = 737_280, 64

# Lengths in image sides at scale 1, areas within 1 % of those of dSprites.
SQUARE = 0.15  # half a side
ELLIPSE = 0.195, 0.115  # half axes
HEART = 0.1223  # unit of (u^2 + v^2 - 1)^3 = u^2 v^3
HEART_CENTRE = 0.2934813  # v of that heart's centre of mass, in its own unit
SYMMETRY = dict(square=4, ellipse=2, heart=1)  # how often a whole turn brings a shape onto itself
SAMPLES = 7  # points a side in each pixel: an odd number, so that none is half covered


def load_procedural_sprites(
    *,
    seed: int = 0,
    size: int = 32,
    num_scales: int = 3,
    num_orientations: int = 8,
    num_positions: int = 8,
) -> Dataset:
    """Squares, ellipses and hearts, binary, one for every combination of factors: 4,608 by default.

    The last factor, y, runs fastest, as in dSprites.  The labels are the shapes.  Of the default
    images 2,688 are distinct, as `info["symmetry"]` says.

    Differs from dSprites: orientations stop short of the whole turn, and neighbouring positions lie
    whole pixels apart, so that a sprite at another position is the same pixels moved.

    Args:
        seed: of the split in `draw_parts`.
        size: H.
        num_scales: values from 0.5 to 1, evenly; one alone is 1.
        num_orientations: parts of a whole turn.
        num_positions: values of x and of y over the middle half of the image; divides H / 2.

    Raises:
        ValueError: a number below 1, or positions that are not whole pixels apart.
    """
    sizes = [len(SHAPES), num_scales, num_orientations, num_positions, num_positions]
    names = ["num_scales", "num_orientations", "num_positions"]
    for name, number in zip(names, sizes[1:4], strict=True):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")
    if size < 16 or size % (2 * num_positions):
        least = f"at least 16 and a multiple of 2 * num_positions ({2 * num_positions})"
        raise ValueError(f"size must be {least}, not {size}: positions lie whole pixels apart")
    images = _draw_all(size, sizes)
    classes = np.indices(sizes).reshape(len(sizes), -1)
    ids, info = numbered("sprite", len(images)), folders.info_of("procedural_sprites")
    return _dataset(images, dict(zip(FACTORS, classes, strict=True)), ids, seed=seed, info=info)


def _draw_all(size: int, sizes: list[int]) -> np.ndarray:
    """Every combination of factors, which take `sizes` values: (N, 1, H, H) uint8, 0 and 255.

    A sprite is drawn in the middle of a window, which ends where the image does at the outermost
    positions: its side is H / 2 and a step between positions.
    """
    step = size // (2 * sizes[-1])
    side = size // 2 + step
    scales = np.linspace(1, 0.5, sizes[1])[::-1]
    images = np.zeros((*sizes, size, size), dtype=np.uint8)
    for shape, scale, turn in np.ndindex(*sizes[:3]):
        scaled = dict(scale=size * scales[scale], turn=turn / sizes[2])
        window = draw_sprite(SHAPES[shape], side, **scaled)
        for x, y in np.ndindex(*sizes[3:]):
            image = images[shape, scale, turn, x, y]
            image[y * step : y * step + side, x * step : x * step + side] = 255 * window
    return images.reshape(-1, 1, size, size)


def draw_sprite(shape: str, side: int, *, scale: float, turn: float = 0.0) -> np.ndarray:
    """One sprite in the middle of a window, (side, side), True where it covers most of a pixel.

    Args:
        shape: "square", "ellipse" or "heart".
        side: pixels.
        scale: pixels of the shapes' unit of length: a square has sides of 0.3 of it.
        turn: counter-clockwise, in whole turns.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {SHAPES}, not {shape!r}")
    angle = 2 * math.pi * (turn % (1 / SYMMETRY[shape]))
    point = ((np.arange(side * SAMPLES) + 0.5) / SAMPLES - side / 2) / scale
    right, up = point[None, :], -point[:, None]
    u = math.cos(angle) * right + math.sin(angle) * up
    v = math.cos(angle) * up - math.sin(angle) * right
    inside = INSIDE[shape](u, v).reshape(side, SAMPLES, side, SAMPLES)
    return inside.sum((1, 3)) > SAMPLES**2 / 2


def _in_heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    u, v = u / HEART, v / HEART + HEART_CENTRE
    core = u * u + v * v - 1
    return core * core * core <= u * u * v * v * v


INSIDE = dict(
    square=lambda u, v: np.maximum(abs(u), abs(v)) <= SQUARE,
    ellipse=lambda u, v: (u / ELLIPSE[0]) ** 2 + (v / ELLIPSE[1]) ** 2 <= 1,
    heart=_in_heart,
)


def load_dsprites(
    *, root=None, download: bool = False, seed: int = 0, file: str | None = None
) -> Dataset:
    """dSprites: 737,280 binary images, 64x64, in 3 shapes, 6 scales, 40 turns, 32 x, 32 y; 3 GB.

    Files: <root>/dsprites/dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz (checksum verified), else
    a part of the grid in the same form, any other .npz in that folder: imgs (N, 64, 64),
    latents_classes (N, 5 or 6), and perhaps original_dataset_indices (N,), which give the ids.
    Members that hold Python objects are never loaded.

    The labels are the shapes.  Factors that are constant in the file are dropped, and the values of
    the others are counted from 0 without gaps.

    Args:
        root, download, seed: as in `data.load`.
        file: name of one file in that folder; by default the published one, else the only other.
    """
    root = folders.data_root(root)
    with folders.permission_explained(root):
        path = _dsprites_file(root / "dsprites", file, download)
        images, classes, places = _read_dsprites(path)
    images *= 255
    info = folders.info_of("dsprites")
    if len(images) != DSPRITES_COUNT:
        info["title"] += f" ({len(images):,} of {DSPRITES_COUNT:,} images)"
    names = ["colour", *FACTORS][-classes.shape[1] :]
    classes = dict(zip(names, classes.T, strict=True))
    ids = np.char.add("dsprites", places.astype(str))
    return _dataset(images[:, None], classes, ids, seed=seed, info=info)


def _dataset(images: np.ndarray, classes: dict, ids: np.ndarray, *, seed: int, info: dict):
    """The images with those of their factors that vary; `classes` holds (N,) values by name."""
    counted = {name: np.unique(values, return_inverse=True) for name, values in classes.items()}
    varying = {name: both for name, both in counted.items() if len(both[0]) > 1}
    factors = np.zeros((len(images), len(varying)), dtype=np.int64)
    for i, (_, index) in enumerate(varying.values()):
        factors[:, i] = index
    info = info | dict(
        value_range=(0.0, 1.0),
        parts=PARTS,
        label_names=SHAPES,
        factor_names=list(varying),
        factor_sizes=[len(values) for values, _ in varying.values()],
        symmetry=SYMMETRY,
    )
    part = draw_parts(len(images), seed)
    return Dataset(images, classes["shape"].astype(int), ids, part, info, factors)


def _dsprites_file(folder: Path, file: str | None, download: bool) -> Path:
    """The file asked for; else the published one, downloaded if need be; else the only other."""
    others = sorted(path for path in folder.glob("*.npz") if path.name != DSPRITES_FILE)
    if file not in (None, DSPRITES_FILE):
        if (folder / file).is_file():
            return folder / file
        found = ", ".join(path.name for path in folder.glob("*.npz")) or "none"
        defect = f"there is no {file} in {folder} (found: {found})"
        raise FileNotFoundError(f"{defect}: correct file=, or {folders.another_root()}")
    if file is None and others and not download and not (folder / DSPRITES_FILE).exists():
        if len(others) > 1:
            found = ", ".join(path.name for path in others)
            several = f"{folder} holds several parts of dSprites"
            raise ValueError(f"{several}: choose one of {found} by file=")
        return others[0]
    folders.require_files("dsprites", folder, download=download)
    return folder / DSPRITES_FILE


def _read_dsprites(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 64, 64) of 0 and 1, classes (N, 5 or 6), places in the published file (N,)."""
    published = path.name == DSPRITES_FILE
    content = folders.verified("dsprites", path) if published else path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            classes = _read_member(archive, "latents_classes", 6 * 8 * DSPRITES_COUNT)
            count = min(len(classes), DSPRITES_COUNT)
            images = _read_member(archive, "imgs", count * DSPRITES_SIDE**2)
            ids = np.arange(len(images))
            if "original_dataset_indices.npy" in archive.namelist():
                ids = _read_member(archive, "original_dataset_indices", 8 * DSPRITES_COUNT)
        _check(images, classes, ids)
    except Exception as error:  # of many kinds, as the file is damaged in many ways
        raise folders.damaged("dsprites", path, error) from error
    return images, classes, ids


def _read_member(archive: zipfile.ZipFile, name: str, most: int) -> np.ndarray:
    """One array of at most so many bytes beside its header."""
    if f"{name}.npy" not in archive.namelist():
        raise ValueError(f"it holds no {name}")
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > most + 2**16:
        raise ValueError(
            f"{name} has {member.file_size:,} bytes, more than the {most:,} it may have"
        )
    try:
        return read_member(archive, member)
    except Unsuitable as error:
        raise ValueError(f"{name} {error}") from None


def _check(images: np.ndarray, classes: np.ndarray, ids: np.ndarray) -> None:
    """Refuse arrays that do not have the form of dSprites."""
    count, side = len(images), DSPRITES_SIDE
    if images.dtype != np.uint8 or images.shape != (count, side, side) or not count:
        found = f"{images.dtype} {images.shape}"
        raise ValueError(f"imgs must be uint8 (N, {side}, {side}), not {found}")
    if classes.dtype.kind not in "iu" or classes.ndim != 2 or classes.shape[1] not in (5, 6):
        found = f"{classes.dtype} {classes.shape}"
        raise ValueError(f"latents_classes must be integers (N, 5) or (N, 6), not {found}")
    if len(classes) != count:
        raise ValueError(f"latents_classes has {len(classes):,} rows for {count:,} imgs")
    low, high = (extreme(classes[:, -len(FACTORS)]) for extreme in (np.min, np.max))
    if low < 0 or high >= len(SHAPES):
        raise ValueError(f"shapes must be 0 to {len(SHAPES) - 1}, not {low} to {high}")
    if ids.dtype.kind not in "iu" or ids.shape != (count,):
        found = f"{ids.dtype} {ids.shape}"
        raise ValueError(f"original_dataset_indices must be {count:,} integers, not {found}")
    if images.max() > 1:
        raise ValueError(f"imgs must hold zeros and ones, not {images.max()}")
