"""3D Chairs: the renders of Aubry et al. (2014), read from the folder or the archive and kept as one verified array.

Martinez & Pearson (2021), Appendix A.  1,393 chair models from 31 azimuths and 2 elevations, 600x600 RGB on white:
rendered_chairs/<model>/renders/image_<number>_p<elevation>_t<azimuth>_r<radius>.png.  Letters: N images.
"""

import hashlib
import io
import os
import re
import tarfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.storage import load_arrays, save_arrays

PAGE = "https://www.di.ens.fr/willow/research/seeing3Dchairs/"
NUM_IMAGES = 1393 * 62
SOURCE_SIZE, CROP, IMAGE_SIZE = 600, 448, 64  # each pixel averages 7x7
PREPROCESSING = f"grey, central {CROP}x{CROP} of {SOURCE_SIZE}x{SOURCE_SIZE}, averaged to {IMAGE_SIZE}x{IMAGE_SIZE}"
IMAGE_NAME = re.compile(r"(?:.*/)?([^/]+)/renders/image_\d+_(p\d+)_(t\d+)_r\d+\.png")

CACHE_KIND, CACHE_VERSION = "chairs cache", 1
BLOCK, MOST_PADDING = (
    512,
    2**20,
)  # bytes: the unit of a tar archive, and the zeros that may follow its end


class ChairImages(NamedTuple):
    """images (N, 1, 64, 64) uint8; ids: "<model>-p<elevation>-t<azimuth>", (N,) text; skipped: unreadable images."""

    images: np.ndarray
    ids: np.ndarray
    skipped: list


class Source(NamedTuple):
    """What there is: a folder or an archive, its images by id, and a digest that any change of them changes.

    places: id -> (name in `path`, offset of its bytes in an archive, their number), sorted by id.
    """

    path: Path
    places: dict
    listing: str


def find_source(root: Path) -> Path | None:
    """The folder rendered_chairs, else rendered_chairs.tar, in `root` or in `root`/chairs."""
    for folder in (root, root / "chairs"):
        if (folder / "rendered_chairs").is_dir():
            return folder / "rendered_chairs"
        if (folder / "rendered_chairs.tar").is_file():
            return folder / "rendered_chairs.tar"
    return None


def load_images(path: Path, *, cache: Path, on_corrupt: str = "refuse") -> ChairImages:
    """All images of a folder or an archive, from the cache where it was made of just these files.

    Args:
        path: the folder rendered_chairs or the archive rendered_chairs.tar.
        cache: the file that keeps the array; where it cannot be written, a warning says so.
        on_corrupt: "refuse" a set with an unreadable image, or "skip" such images and count them in a warning.

    Raises:
        ValueError: an unknown option, a truncated archive, no images, or an unreadable image (named).
    """
    if on_corrupt not in ("refuse", "skip"):
        raise ValueError(f"on_corrupt must be 'refuse' or 'skip', not {on_corrupt!r}")
    source = list_folder(path) if path.is_dir() else list_archive(path)
    if not source.places:
        raise ValueError(
            f"{path} holds no <model>/renders/image_*_p*_t*_r*.png: get it again from {PAGE}"
        )
    if len(source.places) != NUM_IMAGES:
        found = f"{len(source.places):,} of the {NUM_IMAGES:,} images of 3D Chairs"
        warnings.warn(
            f"{path} holds {found}: is it a subset, or was it not unpacked to the end?",
            stacklevel=4,
        )
    recipe = dict(listing=source.listing, num_files=len(source.places), preprocessing=PREPROCESSING)
    loaded = _read_cache(cache, recipe)
    if loaded is None:
        loaded = _build(source, on_corrupt)
        _write_cache(cache, recipe, loaded)
    if loaded.skipped and on_corrupt == "refuse":
        raise ValueError(_corrupt(path, loaded.skipped[0]))
    if loaded.skipped:
        count = f"{len(loaded.skipped)} of {len(source.places)} images"
        warnings.warn(
            f"{count} in {path} cannot be read and are skipped: {_shown(loaded.skipped)}",
            stacklevel=4,
        )
    return loaded


def list_folder(path: Path) -> Source:
    """The images in the extracted folder; a changed size or time of change makes another listing."""

    def refuse(error):
        raise error

    places, stamps = {}, {}
    for folder, _, files in os.walk(path, onerror=refuse):
        for file in files:
            name = os.path.relpath(os.path.join(folder, file), path)
            if match := IMAGE_NAME.fullmatch(Path(name).as_posix()):
                status = os.stat(path / name)
                places["-".join(match.groups())] = (name, 0, status.st_size)
                stamps["-".join(match.groups())] = status.st_mtime_ns
    return _source(path, places, stamps)


def list_archive(path: Path) -> Source:
    """The images in rendered_chairs.tar, which stays packed.

    Raises:
        ValueError: the archive ends too early or is something else.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
    except tarfile.TarError as error:
        raise ValueError(_damaged(path, error)) from error
    end = max((m.offset_data + -(-m.size // BLOCK) * BLOCK for m in members), default=0)
    with path.open("rb") as file:
        file.seek(end)
        if file.read(BLOCK) != bytes(BLOCK):
            raise ValueError(_damaged(path, "it has no end mark"))
    if path.stat().st_size - end > MOST_PADDING:  # space that a download reserved and did not fill
        raise ValueError(_damaged(path, "it goes on with zeros"))
    named = ((IMAGE_NAME.fullmatch(member.name), member) for member in members if member.isreg())
    places = {
        "-".join(match.groups()): (m.name, m.offset_data, m.size) for match, m in named if match
    }
    return _source(path, places, path.stat().st_mtime_ns)


def _source(path: Path, places: dict, stamps) -> Source:
    places = {key: places[key] for key in sorted(places)}
    stamps = sorted(stamps.items()) if isinstance(stamps, dict) else stamps
    return Source(
        path, places, hashlib.sha256(repr((list(places.items()), stamps)).encode()).hexdigest()
    )


def _damaged(path: Path, reason) -> str:
    return f"{path} is cut off or not a tar archive ({reason}): delete it and download it again from {PAGE}"


def _corrupt(path: Path, what: str) -> str:
    return f"{path} has an unreadable image, {what}: replace it, or leave such images out by on_corrupt='skip'"


def _shown(names: list, most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _build(source: Source, on_corrupt: str) -> ChairImages:
    """Read, crop and shrink every image; minutes for the whole set."""
    from tqdm import tqdm

    ids = list(source.places)
    row = {key: i for i, key in enumerate(ids)}
    images = np.empty((len(ids), 1, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    skipped = {}
    for key, content in tqdm(
        _contents(source), total=len(ids), desc="3D Chairs, read once", unit="image"
    ):
        try:
            images[row[key], 0] = shrink(content)
        except Exception as error:  # whatever a damaged file makes Pillow raise
            skipped[key] = f"{source.places[key][0]} ({' '.join(str(error).split())})"
            if on_corrupt == "refuse":
                raise ValueError(_corrupt(source.path, skipped[key])) from error
    kept = np.array([key not in skipped for key in ids])
    if not kept.any():
        raise ValueError(f"{source.path} has no readable image: get it again from {PAGE}")
    return ChairImages(images[kept], np.array(ids)[kept], [skipped[key] for key in sorted(skipped)])


def _contents(source: Source):
    """(id, bytes) of each image, in the order in which they lie on the disk."""
    if source.path.is_dir():
        for key, (name, _, _) in source.places.items():
            yield key, (source.path / name).read_bytes()
        return
    with source.path.open("rb") as file:
        for key, (_, offset, size) in sorted(source.places.items(), key=lambda item: item[1][1]):
            file.seek(offset)
            yield key, file.read(size)


def shrink(content: bytes) -> np.ndarray:
    """One file's bytes as grey levels: the central square, averaged down to (64, 64) uint8.

    Raises:
        Exception: of many kinds, where the bytes are not a whole 600x600 image.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        image.verify()  # checksums; the image must be opened again after it
    with Image.open(io.BytesIO(content)) as image:
        if image.size != (SOURCE_SIZE, SOURCE_SIZE):
            raise ValueError(f"it is {image.width}x{image.height}, not {SOURCE_SIZE}x{SOURCE_SIZE}")
        edge = (SOURCE_SIZE - CROP) // 2
        square = (
            image.convert("RGB")
            .convert("L")
            .crop((edge, edge, SOURCE_SIZE - edge, SOURCE_SIZE - edge))
        )
        return np.asarray(square.reduce(CROP // IMAGE_SIZE))


def _read_cache(cache: Path, recipe: dict) -> ChairImages | None:
    """The cache, if it is whole and was made of these very files in this way."""
    try:
        header, arrays = load_arrays(cache, kind=CACHE_KIND, version=CACHE_VERSION)
    except (OSError, ValueError):  # absent, unreadable or damaged: it is built anew
        return None
    if any(header.get(key) != value for key, value in recipe.items()):
        return None
    return ChairImages(arrays["images"], arrays["ids"], header["skipped"])


def _write_cache(cache: Path, recipe: dict, loaded: ChairImages) -> None:
    header = {**recipe, "skipped": loaded.skipped}
    arrays = dict(images=loaded.images, ids=loaded.ids)
    try:
        save_arrays(cache, kind=CACHE_KIND, version=CACHE_VERSION, header=header, arrays=arrays)
    except OSError as error:
        reason = error.strerror or error
        warnings.warn(
            f"3D Chairs is loaded without a cache, the next time takes as long: {reason}",
            stacklevel=5,
        )


def select_partition(name: str):
    """The function (model of each image (N,), seed) -> 1 where an image belongs to D1, 2 where to D2, (N,).

    "random": a random half of the images each, as in the paper; "model": of the chair models, which stay whole.
    """
    if name not in PARTITIONS:
        raise ValueError(f"partition must be one of {sorted(PARTITIONS)}, not {name!r}")
    return PARTITIONS[name]


def _half_of_the_images(model: np.ndarray, seed: int) -> np.ndarray:
    order = np.random.default_rng([seed, 0, 0]).permutation(
        len(model)
    )  # not the numbers that draw a subset
    return np.where(order < len(model) // 2, 1, 2)


def _half_of_the_models(model: np.ndarray, seed: int) -> np.ndarray:
    names, index = np.unique(model, return_inverse=True)
    return _half_of_the_images(names, seed)[index]


PARTITIONS = dict(random=_half_of_the_images, model=_half_of_the_models)
