"""Read a laboratory's own data: arrays, tables, HDF5, folders of pictures or of arrays.

Each error is one sentence, each guess a note.  How much memory a file may ask for is said in
`readers.limits`.  Letters: N examples, D columns.
"""

import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import as_float32, check_finite, check_kept, is_number
from rvae_lite.publishing import expanded
from rvae_lite.readers.files import size_of
from rvae_lite.readers.hdf5 import read_hdf5
from rvae_lite.readers.limits import explained, limit_of, shown
from rvae_lite.readers.npy import read_npy, read_npz
from rvae_lite.readers.pictures import read_pictures

IMAGES = (".png", ".jpg", ".jpeg")
TABLES = (".csv", ".tsv")
COLOURS = (1, 3)
BLOCK = 2**22  # numbers converted at once
DARK = 32  # a largest uint8 below it belongs to a mask or to images of 5 bits and less


class Arrays(NamedTuple):
    """N examples as they came from a file or folder.

    x: (N, *data); uint8, or float32 after any other type; images as (N, C, H, W).
    ids: names, (N,) text: a file's path within its folder, else the row's number.
    notes: what was done on the way, as sentences.
    names: of the D columns of a table that tells them, else None.
    """

    x: np.ndarray
    ids: np.ndarray
    notes: list
    names: list[str] | None = None


class _Options(NamedTuple):
    """What the readers of single files are told."""

    key: str | None = None
    header: bool | None = None
    memory: float | None = None


def read_data(
    path,
    *,
    key: str | None = None,
    per_file: str = "one",
    value_scale: float | None = None,
    images: bool | None = None,
    memory: float | None = None,
    header: bool | None = None,
) -> Arrays:
    """Read examples from a file or folder, by its kind.

    Args:
        path: .npy; .npz and HDF5 with one array, or the one named by `key`; .csv and .tsv, a row an
            example; a folder of PNG and JPEG pictures of one size, or of .npy arrays.  A leading ~
            is the home folder.
        key: which array of a .npz or HDF5 file; for tables the columns, separated by commas.
        per_file: a .npy of a folder is "one" example or holds "many", (n, *data).
        value_scale: divide the values by this, for example 65535; integers other than uint8 need
            it, since their unit is not known.  uint8 stay as they are (0 to 255) without it.
        images: examples of shape (H, W) are grey images; by default if both sides are 4 or more.
        memory: GiB that the data may take; by default 0.5 or 4 times the size of the files.
        header: whether the first row of a table names its columns; by default found out.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        PermissionError: a file or subfolder may not be read.
        ValueError: an unknown kind, no or several arrays, objects, NaN, values that float32 cannot
            hold, files of several shapes, fewer than 2 examples, more memory than allowed.
    """
    path = expanded(path)
    suits = value_scale is None or is_number(value_scale)
    if not suits or (value_scale is not None and not 0 < value_scale < np.inf):
        expected = f"a positive number, not {value_scale!r}"
        raise ValueError(f"value_scale must be {expected}: the values are divided by it")
    if not os.path.exists(path):
        raise FileNotFoundError(f"there are no data at {shown(path)}: check the path")
    try:
        return _examples_at(path, per_file, value_scale, images, _Options(key, header, memory))
    except MemoryError as error:
        wrong = f"{shown(path)} needs more memory than there is ({error})"
        raise MemoryError(f"{wrong}: read it in parts") from error


def _examples_at(path: Path, per_file: str, value_scale, images, options: _Options) -> Arrays:
    ids = names = None
    settled = False  # which axis holds the channels
    if options.header is not None and path.suffix.lower() not in TABLES:
        raise ValueError(f"{shown(path)} is no table: leave header out")
    if path.is_dir() and options.key is not None:
        raise ValueError(f"{shown(path)} is a folder: leave key out")
    if path.is_dir():
        array, ids, notes, settled = _read_folder(path, per_file, options.memory)
    elif path.suffix.lower() in READERS:
        size_of(path, "file")
        read = READERS[path.suffix.lower()]
        array, names, notes = read(path, options)
    else:
        kinds = f"{', '.join(READERS)}, or a folder of pictures or of .npy arrays"
        raise ValueError(f"{shown(path)} is of no known kind: pass {kinds}")
    _check_examples(array, shown(path), value_scale)
    array, told = _in_units(array, shown(path), value_scale)
    array, moved = (array, []) if settled else _channels_first(array, images)
    ids = np.arange(len(array)).astype(str) if ids is None else ids
    notes = [shown(note) for note in notes + told + moved]
    return Arrays(array, ids, notes, names and [shown(name) for name in names])


def arranged(examples: Arrays, header: dict, *, value_scale: float | None = None) -> Arrays:
    """Examples as the maker of a Rosetta file had them: its columns in the file's order.

    A note says what was moved, and where names or the numbers that values were divided by differ.
    """
    own, theirs, notes = examples.names, header.get("names"), list(examples.notes)
    scale = header.get("value_scale")
    if is_number(scale) and value_scale is not None and scale != value_scale:
        numbers = f"{value_scale:g} here, by {scale:g} where the points come from"
        notes.append(f"values were divided by {numbers}: same units?")
    examples = examples._replace(notes=notes)
    if own is None or not isinstance(theirs, list):
        return examples
    theirs = [shown(unicodedata.normalize("NFC", str(name))) for name in theirs]
    if own == theirs:
        return examples
    if sorted(own) != sorted(theirs) or len(set(own)) < len(own):
        both = f"{', '.join(own[:8])} here, {', '.join(theirs[:8])} where the points come from"
        notes.append(f"columns are called {both}: same features, in the same order?")
        return examples
    notes.append(f"columns were brought into the points' order: {', '.join(theirs[:8])}")
    x = np.ascontiguousarray(examples.x[:, [own.index(name) for name in theirs]])
    return examples._replace(x=x, names=theirs)


# Single files


def _npy(path: Path, options: _Options) -> tuple:
    if options.key is not None:
        raise ValueError(f"{shown(path)} is a single array: leave key out")
    return read_npy(path), None, []


def _npz(path: Path, options: _Options) -> tuple:
    array, notes = read_npz(path, key=options.key, memory=options.memory)
    return array, None, notes


def _hdf5(path: Path, options: _Options) -> tuple:
    array, notes = read_hdf5(path, key=options.key, memory=options.memory)
    return array, None, notes


def _table(path: Path, options: _Options) -> tuple:
    from rvae_lite.readers.tables import LIMIT, read_numbers

    limit = max(LIMIT, limit_of(0, options.memory))
    columns = None if options.key is None else [name.strip() for name in options.key.split(",")]
    x, names, notes = read_numbers(path, columns=columns, header=options.header, limit=limit)
    empty = ~np.isfinite(x).all(1)
    if empty.any():
        where = f"in {int(empty.sum())} examples, first in {int(empty.argmax())}"
        found = f"{shown(path)} has NaN or infinite values (or empty cells)"
        raise ValueError(f"{found} {where}: drop them")
    return x, names, notes


READERS = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _table,
    ".tsv": _table,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
}


# Folders


def _read_folder(folder: Path, per_file: str, memory: float | None) -> tuple:
    """Examples, their names, what was left out, and whether they are images (N, C, H, W)."""
    if per_file not in ("one", "many"):
        raise ValueError(f"per_file must be 'one' or 'many', not {per_file!r}")
    files, notes = _files(folder)
    arrays = [path for path in files if path.suffix.lower() == ".npy"]
    pictures = [path for path in files if path.suffix.lower() in IMAGES]
    if bool(arrays) == bool(pictures):
        both = "both images and .npy arrays"
        held = both if arrays else "neither images (.png, .jpg) nor .npy arrays"
        raise ValueError(f"{shown(folder)} holds {held}: pass a folder of one kind, or one file")
    chosen = arrays or pictures
    if len(files) > len(chosen):
        others = len(files) - len(chosen)
        notes.insert(0, f"{others} other files in {folder.name} were left out")
    if pictures:
        pieces, told = read_pictures(pictures, memory=memory)
        notes += told
    else:
        pieces = [read_npy(path) for path in arrays]
    many = bool(arrays) and per_file == "many"
    _check_shapes(folder, chosen, pieces, many=many)
    ids = [_id_of(path.relative_to(folder)) for path in chosen]
    count = Counter(ids)
    if twice := next((name for name in ids if count[name] > 1), None):
        forms = f"two files {twice}, in two forms of Unicode"
        raise ValueError(f"{shown(folder)} holds {forms}: rename one of them")
    if pictures:
        x = np.stack(pieces)
        x = x[:, None] if x.ndim == 3 else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        return x, np.array(ids), notes, True  # (N, C, H, W)
    if not many:
        return np.stack(pieces), np.array(ids), notes, False
    numbered = [
        f"{name}#{row}"
        for name, piece in zip(ids, pieces, strict=True)
        for row in range(len(piece))
    ]
    return np.concatenate(pieces), np.array(numbered), notes, False


def _id_of(name: Path) -> str:
    """A file's name as every system writes it: composed letters, nothing that is no letter."""
    return shown(unicodedata.normalize("NFC", name.as_posix()))


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """Regular files in a folder and those below it, sorted, without hidden ones; and notes.

    Raises:
        PermissionError: a subfolder may not be read.
    """

    def refuse(error):
        with explained(error.filename, "a folder"):
            raise error

    files, skipped = [], {"links to folders": [], "broken links or no files": []}
    for place, inner, names in os.walk(folder, onerror=refuse):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        links = [name for name in inner if os.path.islink(os.path.join(place, name))]
        skipped["links to folders"] += links
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            if path.is_file():
                files.append(path)
            else:
                skipped["broken links or no files"].append(path.name)
    notes = []
    for what, left in skipped.items():
        if left:
            listed = ", ".join(sorted(left)[:4])
            notes.append(f"{len(left)} entries that are {what} were left out: {listed}")
    return sorted(files), notes


def _check_shapes(folder: Path, files: list[Path], pieces: list[np.ndarray], *, many: bool) -> None:
    kinds = [(piece.shape[1:] if many else piece.shape, piece.dtype) for piece in pieces]
    odd = next((number for number, kind in enumerate(kinds) if kind != kinds[0]), None)
    if odd is None and many and not pieces[0].ndim:
        raise ValueError(f"{shown(files[0])} is one number: leave per_file='many' out")
    if odd is None:
        return
    told = [f"{shown(files[i].name)}: {pieces[i].shape} {pieces[i].dtype}" for i in (0, odd)]
    if files[0].suffix.lower() in IMAGES:
        told = ["{}: {}x{}".format(shown(files[i].name), *pieces[i].shape[:2]) for i in (0, odd)]
        found = f"pictures of several sizes ({', '.join(told)})"
        raise ValueError(f"{shown(folder)} holds {found}: resize them to one")
    remedy = "bring all to one shape and type"
    if not many and len({shape[1:] for shape, _ in kinds}) == 1:
        remedy += ", or pass per_file='many' if the first axis counts examples"
    found = f"arrays of several shapes or types ({', '.join(told)})"
    raise ValueError(f"{shown(folder)} holds {found}: {remedy}")


# Examples


def _check_examples(array: np.ndarray, path: str, value_scale: float | None) -> None:
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


def _in_units(array: np.ndarray, path: str, value_scale: float | None) -> tuple[np.ndarray, list]:
    """The values divided by the scale as float32, block by block; uint8 without one stay."""
    if array.dtype == np.uint8 and value_scale is None:
        largest = int(array.max())
        few = f"uint8 values reach only {largest} of 255: pass value_scale={largest}"
        return array, [few] * (0 < largest < DARK)
    if array.dtype.kind == "f":
        check_finite(path, array)
    wide = array.itemsize > (4 if array.dtype.kind == "f" else 2)
    scaled = np.empty(array.shape, np.float32)
    rows = max(1, BLOCK * len(array) // array.size)
    with np.errstate(over="ignore"):
        if wide:
            array = array.astype(np.float64, copy=False)
        if wide and value_scale is not None:
            array /= value_scale  # in place, as it may be large
        for start in range(0, len(array), rows):
            block = array[start : start + rows]
            if not wide and value_scale is not None:
                block = block.astype(np.float64) / value_scale
            if np.isinf(block).any():
                remedy = "pass another value_scale"
                raise ValueError(f"{path} has values that no float holds in these units: {remedy}")
            scaled[start : start + rows] = as_float32(path, block)
    if wide:
        check_kept(path, array)
    note = f"values were divided by {value_scale:g}" if value_scale is not None else ""
    return scaled, [note] * bool(note)


def _channels_first(array: np.ndarray, images: bool | None) -> tuple[np.ndarray, list[str]]:
    """Images as (N, C, H, W), and what was taken for the channels where it may be doubted."""
    if array.ndim == 3 and (min(array.shape[1:]) >= 4 if images is None else images):
        counts = f"the first of the axes {array.shape} was taken for the examples"
        square = array.shape[0] == array.shape[1] != array.shape[2]  # as MATLAB has (H, W, N)
        return array[:, None], [counts] * square  # (N, 1, H, W)
    if array.ndim != 4:
        return array, []
    first, last = array.shape[1], array.shape[-1]
    if last in COLOURS and first not in COLOURS:
        moved = np.ascontiguousarray(array.transpose(0, 3, 1, 2))  # (N, C, H, W)
        return moved, ["channels were moved before the pixels"]
    shape = f"the axes {array.shape[1:]} of an example were taken as channels, height, width"
    doubtful = last in COLOURS or first not in COLOURS
    return array, [shape] * doubtful
