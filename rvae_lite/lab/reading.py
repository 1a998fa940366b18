"""Read a laboratory's own data: arrays, tables, HDF5, folders of images and folders of arrays, each error one sentence.

Letters: N examples.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

IMAGES = (".png", ".jpg", ".jpeg")
TABLES, HDF5 = (".csv",), (".h5", ".hdf5")
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
        path: .npy; .npz and HDF5 with one array, or the one named by `key`; .csv, a row an example, its header
            optional; a folder of .png and .jpg images of one size, or of .npy arrays.
        key: which array of a .npz or HDF5 file; for .csv the columns, separated by commas.
        per_file: a .npy of a folder is "one" example or holds "many", (n, *data).
        value_scale: divide the values by this, for example 65535; integers other than uint8 need it, since their unit
            is not known.  uint8 stay as they are (0 to 255) without it.
        images: examples of shape (H, W) are grey images; by default they are where both sides are at least 4.

    Returns:
        Arrays.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: an unknown kind, no or several arrays, objects, NaN, files of several shapes, fewer than 2 examples.
    """
    path = Path(path)
    if value_scale is not None and not (np.isfinite(value_scale) and value_scale > 0):
        raise ValueError(
            f"value_scale must be a positive number, not {value_scale!r}: the values are divided by it"
        )
    if not path.exists():
        raise FileNotFoundError(f"there are no data at {path}: check the path")
    if path.is_dir():
        array, ids, notes = _read_folder(path, per_file)
    else:
        array, ids, notes = _read_file(path, key), None, []
    array, more = _as_examples(array, path, value_scale)
    array, channels = _channels_first(array, images)
    ids = np.arange(len(array)).astype(str) if ids is None else np.array(ids)
    return Arrays(array, ids, [*notes, *more, *channels])


def _read_file(path: Path, key: str | None) -> np.ndarray:
    readers = {".npy": _read_npy, ".npz": _read_npz}
    readers |= dict.fromkeys(TABLES, _read_csv) | dict.fromkeys(HDF5, _read_hdf5)
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise ValueError(
            f"{path} is of no known kind: pass {', '.join(readers)}, or a folder of images or of .npy arrays"
        )
    try:
        return readers[suffix](path, key)
    except PermissionError as error:
        raise PermissionError(
            error.errno, f"{path} may not be read: change its permissions"
        ) from error
    except _Choice as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # readers of every kind have errors of their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as {suffix} ({reason}): get a fresh copy of it"
        ) from error


class _Choice(ValueError):
    """Several arrays, and none chosen: the file is sound."""


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
            raise _Choice(
                f"{path} is a file of rvae_lite, not data: pass the data, or look into it with inspect"
            )
        return arrays[_chosen(path, arrays.files, key)]


def _read_hdf5(path: Path, key: str | None) -> np.ndarray:
    import h5py

    names: list[str] = []
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        return file[_chosen(path, sorted(names), None if key is None else key.strip("/"))][()]


def _read_csv(path: Path, key: str | None) -> np.ndarray:
    import pandas as pd

    content = path.read_bytes()
    first = pd.read_csv(io.BytesIO(content), header=None, nrows=1).iloc[0]
    numeric = pd.to_numeric(first, errors="coerce").notna().all()
    table = pd.read_csv(io.BytesIO(content), header=None if numeric else 0)
    table.columns = [str(name) for name in table.columns]
    if key is not None:
        wanted = [name.strip() for name in key.split(",")]
        missing = [name for name in wanted if name not in table]
        if missing:
            raise _Choice(
                f"{path} has no columns {', '.join(missing)}: it has {', '.join(table.columns[:8])}"
            )
        table = table[wanted]
    text = [name for name in table if table[name].dtype.kind not in "iufb"]
    if text:
        raise _Choice(
            f"{path} has columns that are no numbers ({', '.join(text[:4])}): choose the columns by key"
        )
    return table.to_numpy(np.float64)


def _read_folder(folder: Path, per_file: str):
    if per_file not in ("one", "many"):
        raise ValueError(f"per_file must be 'one' or 'many', not {per_file!r}")
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)
    )
    arrays = [path for path in files if path.suffix.lower() == ".npy"]
    images = [path for path in files if path.suffix.lower() in IMAGES]
    if bool(arrays) == bool(images):
        held = (
            "both images and .npy arrays"
            if arrays
            else "neither images (.png, .jpg) nor .npy arrays"
        )
        raise ValueError(f"{folder} holds {held}: pass a folder of one kind, or one file")
    chosen = arrays or images
    pieces = [_read_file(path, None) if arrays else _read_image(path) for path in chosen]
    names = [path.relative_to(folder).as_posix() for path in chosen]
    if images:
        pieces = _one_mode(pieces)
    many = bool(arrays) and per_file == "many"
    _check_shapes(folder, chosen, pieces, many=many)
    if many:
        names = [
            f"{name}#{row}"
            for name, piece in zip(names, pieces, strict=True)
            for row in range(len(piece))
        ]
    others = len(files) - len(chosen)
    notes = [f"{others} other files in {folder.name} were left out"] if others else []
    return (np.concatenate(pieces) if many else np.stack(pieces)), names, notes


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _check_shapes(folder: Path, files: list[Path], pieces: list[np.ndarray], *, many: bool) -> None:
    shapes = [piece.shape[1:] if many else piece.shape for piece in pieces]
    odd = [
        i
        for i, shape in enumerate(shapes)
        if shape != shapes[0] or pieces[i].dtype != pieces[0].dtype
    ]
    if not odd:
        return
    first, other = ((files[i].name, pieces[i].shape, pieces[i].dtype) for i in (0, odd[0]))
    remedy = "bring all to one shape and type"
    if not many and len({shape[1:] for shape in shapes}) == 1:
        remedy += ", or pass per_file='many' if the first axis counts examples"
    raise ValueError(
        f"{folder} holds arrays of several shapes or types ({first[0]}: {first[1]} {first[2]}, {other[0]}: {other[1]} "
        f"{other[2]}): {remedy}"
    )


def _read_image(path: Path) -> np.ndarray:
    """Grey (H, W) or colour (H, W, 3), uint8."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise _Choice(
                    f"{path} has more than 8 bits a pixel: convert such images to arrays (.npy)"
                )
            return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    except PermissionError as error:
        raise PermissionError(
            error.errno, f"{path} may not be read: change its permissions"
        ) from error
    except _Choice as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as an image ({reason}): get a fresh copy of it"
        ) from error


def _one_mode(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """Grey images among coloured ones become coloured too."""
    if len({piece.ndim for piece in pieces}) == 1:
        return pieces
    return [
        np.repeat(piece[..., None], 3, axis=2) if piece.ndim == 2 else piece for piece in pieces
    ]


def _as_examples(array: np.ndarray, path: Path, value_scale: float | None):
    """uint8 or float32 of at least two axes and two examples, all finite; and what was done."""
    array = np.asarray(array)
    if array.dtype.kind not in "iufb":
        raise ValueError(
            f"{path} holds {array.dtype}, no numbers: convert it to floats, or to uint8 for images"
        )
    if array.ndim < 2 or not array.size:
        raise ValueError(
            f"{path} holds an array of shape {array.shape}: examples are rows, so pass (N, ...)"
        )
    if len(array) < 2:
        raise ValueError(
            f"{path} holds one example, at least 2 are needed: is the first axis the examples?"
        )
    if array.dtype.kind in "iu" and array.dtype != np.uint8 and value_scale is None:
        raise ValueError(
            f"{path} holds {array.dtype} from {array.min()} to {array.max()}, whose unit is not known: pass "
            f"value_scale, by which the values are divided (1 keeps them)"
        )
    if array.dtype == np.uint8 and value_scale is None:
        return array, []
    scaled = array.astype(np.float64) / (value_scale or 1.0)
    bad = ~np.isfinite(scaled).reshape(len(scaled), -1).all(1)
    if bad.any():
        raise ValueError(
            f"{path} has NaN or infinite values (or empty cells) in {int(bad.sum())} examples, first in "
            f"{int(bad.argmax())}: drop them"
        )
    return scaled.astype(np.float32), [] if value_scale is None else [
        f"values were divided by {value_scale:g}"
    ]


def _channels_first(array: np.ndarray, images: bool | None):
    """Images as (N, C, H, W), whether they came without a channel or with it last; and what was done."""
    if array.ndim == 3 and (images if images is not None else min(array.shape[1:]) >= 4):
        return array[:, None], []  # (N, 1, H, W)
    if array.ndim == 4 and array.shape[-1] in COLOURS and array.shape[1] not in COLOURS:
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2)), [
            "channels were moved before the pixels"
        ]
    return array, []
