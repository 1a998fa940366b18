"""Read a laboratory's own data: arrays, tables, HDF5, folders of images or of arrays.

Each error is one sentence.  Letters: N examples.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

IMAGES = (".png", ".jpg", ".jpeg")
COLOURS = (1, 3)


class Arrays(NamedTuple):
    """N examples as they came from a file or folder.

    x: (N, *data); uint8, or float32 after any other type; images as (N, C, H, W).
    ids: names, (N,) text: a file's path within its folder, else the row's number.
    notes: what was done on the way, as sentences.
    """

    x: np.ndarray
    ids: np.ndarray
    notes: list


def read_data(
    path,
    *,
    key: str | None = None,
    per_file: str = "one",
    value_scale: float | None = None,
    images: bool | None = None,
) -> Arrays:
    """Read examples from a file or folder, by its kind.

    Args:
        path: .npy; .npz and HDF5 with one array, or the one named by `key`; .csv, a row an example,
            its header optional; a folder of .png and .jpg images of one size, or of .npy arrays.
        key: which array of a .npz or HDF5 file; for .csv the columns, separated by commas.
        per_file: a .npy of a folder is "one" example or holds "many", (n, *data).
        value_scale: divide the values by this, for example 65535; integers other than uint8 need
            it, since their unit is not known.  uint8 stay as they are (0 to 255) without it.
        images: examples of shape (H, W) are grey images; by default if both sides are 4 or more.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: an unknown kind, no or several arrays, objects, NaN, files of several shapes,
            fewer than 2 examples.
    """
    path = Path(path)
    if value_scale is not None and not (np.isfinite(value_scale) and value_scale > 0):
        expected = f"a positive number, not {value_scale!r}"
        raise ValueError(f"value_scale must be {expected}: the values are divided by it")
    if not path.exists():
        raise FileNotFoundError(f"there are no data at {path}: check the path")
    if path.is_dir():
        array, ids, notes = _read_folder(path, per_file)
    elif path.suffix.lower() in READERS:
        array, ids, notes = np.asarray(_read_file(path, key)), None, []
    else:
        kinds = f"{', '.join(READERS)}, or a folder of images or of .npy arrays"
        raise ValueError(f"{path} is of no known kind: pass {kinds}")
    _check_examples(array, path, value_scale)
    if array.dtype != np.uint8 or value_scale is not None:
        array = _scaled(array, path, value_scale or 1.0)
    if value_scale is not None:
        notes.append(f"values were divided by {value_scale:g}")
    if array.ndim == 3 and (min(array.shape[1:]) >= 4 if images is None else images):
        array = array[:, None]  # (N, 1, H, W)
    elif array.ndim == 4 and array.shape[-1] in COLOURS and array.shape[1] not in COLOURS:
        array = np.ascontiguousarray(array.transpose(0, 3, 1, 2))  # (N, C, H, W)
        notes.append("channels were moved before the pixels")
    return Arrays(array, np.arange(len(array)).astype(str) if ids is None else ids, notes)


class _Choice(ValueError):
    """The file is sound, but something else has to be chosen."""


def _read_file(path: Path, key: str | None = None) -> np.ndarray:
    suffix = path.suffix.lower()
    reader, kind = (_read_image, "an image") if suffix in IMAGES else (READERS[suffix], suffix)
    try:
        return reader(path, key)
    except PermissionError as error:
        message = f"{path} may not be read: change its permissions"
        raise PermissionError(error.errno, message) from error
    except _Choice as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # readers of every kind have errors of their own
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{path} cannot be read as {kind} ({reason}): get a fresh copy of it"
        raise ValueError(message) from error


def _chosen(path: Path, names: list[str], key: str | None) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key not in names:
        there = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        asked = f"no array {key!r}" if key is not None else f"{len(names)} arrays"
        raise _Choice(f"{path} holds {asked}: choose one by key, of {there or 'none'}")
    return key


def _read_npy(path: Path, key: str | None) -> np.ndarray:
    if key is not None:
        raise _Choice(f"{path} is a single array: leave key out")
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _read_npz(path: Path, key: str | None) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        if "header" in arrays.files:
            remedy = "pass the data, or look into it with inspect"
            raise _Choice(f"{path} is a file of rvae_lite, not data: {remedy}")
        return arrays[_chosen(path, arrays.files, key)]


def _read_hdf5(path: Path, key: str | None) -> np.ndarray:
    import h5py

    items = {}
    with h5py.File(path, "r") as file:
        file.visititems(items.__setitem__)
        names = sorted(name for name, item in items.items() if isinstance(item, h5py.Dataset))
        return file[_chosen(path, names, None if key is None else key.strip("/"))][()]


def _read_csv(path: Path, key: str | None) -> np.ndarray:
    import pandas as pd

    content = path.read_bytes()
    first = pd.read_csv(io.BytesIO(content), header=None, nrows=1).iloc[0]
    headless = pd.to_numeric(first, errors="coerce").notna().all()
    table = pd.read_csv(io.BytesIO(content), header=None if headless else 0)
    table.columns = [str(name) for name in table.columns]
    if key is not None:
        wanted = [name.strip() for name in key.split(",")]
        missing = ", ".join(name for name in wanted if name not in table)
        if missing:
            there = ", ".join(table.columns[:8])
            raise _Choice(f"{path} has no columns {missing}: it has {there}")
        table = table[wanted]
    text = [name for name in table if table[name].dtype.kind not in "iufb"]
    if text:
        found = f"columns that are no numbers ({', '.join(text[:4])})"
        raise _Choice(f"{path} has {found}: choose the columns by key")
    return table.to_numpy(np.float64)


def _read_image(path: Path, key: str | None) -> np.ndarray:
    """Grey (H, W) or colour (H, W, 3), uint8."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):
            remedy = "convert such images to arrays (.npy)"
            raise _Choice(f"{path} has more than 8 bits a pixel: {remedy}")
        return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
}


def _read_folder(folder: Path, per_file: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Examples, their names and what was left out."""
    if per_file not in ("one", "many"):
        raise ValueError(f"per_file must be 'one' or 'many', not {per_file!r}")
    names = {path: path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    hidden = [path for path, name in names.items() if any(p.startswith(".") for p in name.parts)]
    files = sorted(names.keys() - hidden)
    arrays = [path for path in files if path.suffix.lower() == ".npy"]
    images = [path for path in files if path.suffix.lower() in IMAGES]
    if bool(arrays) == bool(images):
        both = "both images and .npy arrays"
        held = both if arrays else "neither images (.png, .jpg) nor .npy arrays"
        raise ValueError(f"{folder} holds {held}: pass a folder of one kind, or one file")
    chosen = arrays or images
    pieces = [_read_file(path) for path in chosen]
    if images and len({piece.ndim for piece in pieces}) > 1:  # grey ones become coloured too
        pieces = [np.stack([piece] * 3, 2) if piece.ndim == 2 else piece for piece in pieces]
    ids = [names[path].as_posix() for path in chosen]
    notes = []
    if len(files) > len(chosen):
        notes.append(f"{len(files) - len(chosen)} other files in {folder.name} were left out")
    many = bool(arrays) and per_file == "many"
    _check_shapes(folder, chosen, pieces, many=many)
    if not many:
        return np.stack(pieces), np.array(ids), notes
    numbered = [
        f"{name}#{row}"
        for name, piece in zip(ids, pieces, strict=True)
        for row in range(len(piece))
    ]
    return np.concatenate(pieces), np.array(numbered), notes


def _check_shapes(folder: Path, files: list[Path], pieces: list[np.ndarray], *, many: bool) -> None:
    kinds = [(piece.shape[1:] if many else piece.shape, piece.dtype) for piece in pieces]
    odd = next((number for number, kind in enumerate(kinds) if kind != kinds[0]), None)
    if odd is None:
        return
    told = [f"{files[i].name}: {pieces[i].shape} {pieces[i].dtype}" for i in (0, odd)]
    remedy = "bring all to one shape and type"
    if not many and len({shape[1:] for shape, _ in kinds}) == 1:
        remedy += ", or pass per_file='many' if the first axis counts examples"
    found = f"arrays of several shapes or types ({', '.join(told)})"
    raise ValueError(f"{folder} holds {found}: {remedy}")


def _check_examples(array: np.ndarray, path: Path, value_scale: float | None) -> None:
    """Refuse what is no numbers, of one axis, of one example, or of an unknown unit."""
    kind, unknown = array.dtype.kind, array.dtype != np.uint8 and value_scale is None
    if kind not in "iufb":
        found = f"{array.dtype}, no numbers: convert it to floats, or to uint8 for images"
    elif array.ndim < 2 or not array.size:
        found = f"an array of shape {array.shape}: examples are rows, so pass (N, ...)"
    elif len(array) < 2:
        found = "one example, at least 2 are needed: is the first axis the examples?"
    elif kind in "iu" and unknown:
        found = f"{array.dtype} from {array.min()} to {array.max()}, whose unit is not known: pass"
        found += " value_scale, by which the values are divided (1 keeps them)"
    else:
        return
    raise ValueError(f"{path} holds {found}")


def _scaled(array: np.ndarray, path: Path, value_scale: float) -> np.ndarray:
    scaled = array.astype(np.float64) / value_scale
    bad = ~np.isfinite(scaled).reshape(len(scaled), -1).all(1)
    if bad.any():
        where = f"in {int(bad.sum())} examples, first in {int(bad.argmax())}"
        raise ValueError(f"{path} has NaN or infinite values (or empty cells) {where}: drop them")
    return scaled.astype(np.float32)
