"""3D Chairs: the renders of Aubry et al. (2014), decoded once from a folder or archive, then kept.

Martinez & Pearson (2021), Appendix A.  1,393 chair models from 31 azimuths and 2 elevations,
600x600 RGB on white, in the files
rendered_chairs/<model>/renders/image_<number>_p<elevation>_t<azimuth>_r<radius>.png.
Letters: N images.
"""

import hashlib
import os
import re
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rvae_lite.data.dataset import Dataset, select_partition
from rvae_lite.data.folders import another_root, data_root, info_of, permission_explained
from rvae_lite.readers.pictures import decode
from rvae_lite.storage import load_arrays, save_arrays

PAGE = "https://www.di.ens.fr/willow/research/seeing3Dchairs/"
NUM_IMAGES = 1393 * 62
SOURCE_SIZE, CROP, IMAGE_SIZE = 600, 448, 64  # each pixel averages 7x7
PREPROCESSING = f"grey, central {CROP}x{CROP} of {SOURCE_SIZE}x{SOURCE_SIZE}, averaged to 64x64"
IMAGE_NAME = re.compile(r"(?:.*/)?([^/]+)/renders/image_\d+_(p\d+)_(t\d+)_r\d+\.png")

CACHE_KIND, CACHE_VERSION = "chairs cache", 2
BLOCK, MOST_PADDING = 512, 2**20  # bytes: a tar archive's unit, and the zeros that may end it


def load_chairs(
    *,
    root=None,
    download: bool = False,
    seed: int = 0,
    partition: str = "random",
    on_corrupt: str = "refuse",
) -> Dataset:
    """3D Chairs: 86,366 renders of 1,393 models, grey, cropped, 64x64 uint8; labels count models.

    Files: <root>/rendered_chairs or rendered_chairs.tar, or the same in <root>/chairs.  Decoded
    images are kept in <root>/chairs_cache.

    Args:
        root, seed: as in `data.load`.
        download: changes the message about a missing archive, of which no checksum is known.
        partition: D1 holds half of the images ("random", as in the paper) or models ("model").
        on_corrupt: "refuse" a set with an unreadable image, or "skip" and count such images.

    Raises:
        ValueError: an unknown option, a truncated archive, no images, or an unreadable image.
        FileNotFoundError: there is neither folder nor archive.
    """
    split_in_two = select_partition(partition)
    if on_corrupt not in ("refuse", "skip"):
        raise ValueError(f"on_corrupt must be 'refuse' or 'skip', not {on_corrupt!r}")
    root = data_root(root)
    with permission_explained(root):
        path = _find_source(root, download)
        cache = root / "chairs_cache" / "chairs_64.npz"
        images, ids, skipped = _read_once(path, cache, on_corrupt)
    _check(path, len(ids) + len(skipped), skipped, on_corrupt)
    more = dict(preprocessing=PREPROCESSING, skipped=len(skipped))
    info = info_of("chairs", value_range=(0.0, 1.0), **more)
    if len(ids) != NUM_IMAGES:
        info["title"] += f" ({len(ids):,} of {NUM_IMAGES:,} images)"
    models = [name.rsplit("-", 2)[0] for name in ids.tolist()]
    labels = np.unique(models, return_inverse=True)[1]
    return Dataset(images, labels, ids, split_in_two(labels, seed), info)


def _find_source(root: Path, download: bool) -> Path:
    """The folder rendered_chairs, else rendered_chairs.tar, in `root` or in `root`/chairs."""
    for folder in (root, root / "chairs"):
        if (folder / "rendered_chairs").is_dir():
            return folder / "rendered_chairs"
        if (folder / "rendered_chairs.tar").is_file():
            return folder / "rendered_chairs.tar"
    unknown = "cannot be downloaded for you, as no checksum of it is known"
    refusal = f"3D Chairs {unknown if download else f'is not in {root}'}"
    fetch = f"fetch rendered_chairs.tar from the Seeing 3D Chairs page of WILLOW/INRIA ({PAGE})"
    put = f"put it, or the folder rendered_chairs that it holds, into {root}"
    raise FileNotFoundError(f"{refusal}: {fetch} and {put}; or {another_root()}")


def _check(path: Path, count: int, skipped: list[str], on_corrupt: str) -> None:
    """Refuse unreadable images or warn of them; warn of a set that is not whole."""
    if count != NUM_IMAGES:
        found = f"{count:,} of the {NUM_IMAGES:,} images of 3D Chairs"
        question = "is it a subset, or was it not unpacked to the end?"
        warnings.warn(f"{path} holds {found}: {question}", stacklevel=4)
    if skipped and on_corrupt == "refuse":
        raise ValueError(_corrupt(path, skipped[0]))
    if skipped:
        shown = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        found = f"{len(skipped)} of {count} images in {path}"
        warnings.warn(f"{found} cannot be read and are skipped: {shown}", stacklevel=4)


def _corrupt(path: Path, what: str) -> str:
    remedy = "replace it, or leave such images out by on_corrupt='skip'"
    return f"{path} has an unreadable image, {what}: {remedy}"


def _read_once(path: Path, cache: Path, on_corrupt: str) -> tuple:
    """What `_read_all` reads, from the cache if it was made of just these files in this way."""
    kind = dict(kind=CACHE_KIND, version=CACHE_VERSION)
    made_of = dict(files=_state(path), preprocessing=PREPROCESSING)
    try:
        header, arrays = load_arrays(cache, **kind)
        if made_of.items() <= header.items():
            return arrays["images"], arrays["ids"], header["skipped"]
    except (OSError, ValueError):  # absent, unreadable or damaged: the cache is built anew
        pass
    images, ids, skipped = _read_all(path, on_corrupt)
    header = made_of | dict(num_files=len(ids) + len(skipped), skipped=skipped)
    try:
        save_arrays(cache, header=header, arrays=dict(images=images, ids=ids), **kind)
    except OSError as error:
        loss = "3D Chairs is loaded without a cache, the next time takes as long"
        warnings.warn(f"{loss}: {error.strerror or error}", stacklevel=4)
    return images, ids, skipped


def _state(path: Path) -> str:
    """A digest that changes with the name, size or time of change of any image or the archive."""
    names = sorted(_names_in_folder(path).values()) if path.is_dir() else ["."]
    digest = hashlib.sha256()
    for name in names:
        status = os.stat(path / name)
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _read_all(path: Path, on_corrupt: str) -> tuple:
    """Images (N, 1, 64, 64) uint8, sorted by id, ids (N,), names of unreadable ones; slow."""
    images, skipped = {}, {}
    for key, name, content in _contents(path):
        try:
            images[key] = shrink(content)
        except Exception as error:  # whatever a damaged file makes Pillow raise
            skipped[key] = f"{name} ({' '.join(str(error).split())})"
            if on_corrupt == "refuse":
                raise ValueError(_corrupt(path, skipped[key])) from error
    if not images:
        defect = "has no readable image" if skipped else "holds no <model>/renders/image_*.png"
        raise ValueError(f"{path} {defect}: get it again from {PAGE}")
    ids = sorted(images)
    stacked = np.stack([images[key] for key in ids])[:, None]  # (N, 1, 64, 64)
    return stacked, np.array(ids), [skipped[key] for key in sorted(skipped)]


def _contents(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """The id, file name and bytes of each image in the folder or the archive."""
    from tqdm import tqdm

    options = dict(desc="3D Chairs, read once", unit="image")
    if path.is_dir():
        for key, name in tqdm(_names_in_folder(path).items(), **options):
            yield key, name, (path / name).read_bytes()
        return
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
            _check_end(archive)
            for member in tqdm(members, **options):
                match = IMAGE_NAME.fullmatch(member.name)
                if match and member.isreg():
                    yield "-".join(match.groups()), member.name, archive.extractfile(member).read()
    except tarfile.TarError as error:
        defect = f"{path} is cut off or not a tar archive ({error})"
        raise ValueError(f"{defect}: delete it and download it again from {PAGE}") from error


def _check_end(archive: tarfile.TarFile) -> None:
    """Refuse an archive that a download left without its end, or with unfilled space in it."""
    archive.fileobj.seek(archive.offset)  # where the last member ends
    end = archive.fileobj.read(MOST_PADDING + 1)
    if end[:BLOCK] != bytes(BLOCK) or len(end) > MOST_PADDING:
        raise tarfile.ReadError("it does not end where an archive does")


def _names_in_folder(path: Path) -> dict[str, str]:
    """id -> name, relative to the extracted folder, of each image."""

    def refuse(error):
        raise error

    names = {}
    for folder, _, files in os.walk(path, onerror=refuse):
        for file in files:
            name = Path(folder, file).relative_to(path).as_posix()
            if match := IMAGE_NAME.fullmatch(name):
                names["-".join(match.groups())] = name
    return names


def shrink(content: bytes) -> np.ndarray:
    """One file's bytes as grey levels: the central square, averaged down to (64, 64) uint8.

    Raises:
        Exception: of many kinds, where the bytes are not a whole 600x600 image.
    """
    from PIL import Image

    pixels, _ = decode(content)
    image = Image.fromarray(pixels)
    if image.size != (SOURCE_SIZE, SOURCE_SIZE):
        raise ValueError(f"it is {image.width}x{image.height}, not {SOURCE_SIZE}x{SOURCE_SIZE}")
    low, high = (SOURCE_SIZE - CROP) // 2, (SOURCE_SIZE + CROP) // 2
    grey = image.convert("L").crop((low, low, high, high))
    return np.asarray(grey.reduce(CROP // IMAGE_SIZE))
