"""Read a laboratory's own data: arrays, tables, HDF5, folders of pictures or of arrays.

Each error is one sentence, each guess a note.  How much memory a file may ask for is said in
`readers.limits`.  Letters: N examples, D columns.
"""

import os
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import as_float32, check_finite, check_kept, is_number
from rvae_lite.lab.folders import read_folder
from rvae_lite.publishing import expanded
from rvae_lite.readers.files import size_of
from rvae_lite.readers.hdf5 import HDF5, read_hdf5
from rvae_lite.readers.limits import limit_of, shown
from rvae_lite.readers.npy import read_npy, read_npz
from rvae_lite.storage import differences

TABLES = (".csv", ".tsv")
COLOURS = (1, 3)
BLOCK = 2**22  # numbers converted at once
DARK = 32  # a largest uint8 below it belongs to a mask or to images of 5 bits and less


class Arrays(NamedTuple):
    """N examples as they came from a file or folder.

    x: (N, *data); uint8, or float32 after any other type; images as (N, C, H, W).
    ids: names, (N,) text: a file's path within its folder, those of the file, or a row's number.
    notes: what was done on the way, as sentences.
    names: of the D columns of a table that tells them, else None.
    labels: of each example, (N,) text, where the file has them, else None.
    preprocessing: how they were made, where the file tells it, else None.

    Syllables that `extract` wrote stay in their file, as float16, mapped into memory.
    """

    x: np.ndarray
    ids: np.ndarray
    notes: list
    names: list[str] | None = None
    labels: np.ndarray | None = None
    preprocessing: dict | None = None


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
        path: .npy; .npz and HDF5 with one array, or the one named by `key`; HDF5 of syllables, as
            `extract` and AVA write it; .csv and .tsv, a row an example; a folder of PNG and JPEG
            pictures of one size, or of .npy arrays.  A leading ~ is the home folder.
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
    ids = names = found = None
    settled = False  # which axis holds the channels
    if options.header is not None and path.suffix.lower() not in TABLES:
        raise ValueError(f"{shown(path)} is no table: leave header out")
    if path.is_dir() and options.key is not None:
        raise ValueError(f"{shown(path)} is a folder: leave key out")
    if path.is_dir():
        array, ids, notes, settled = read_folder(path, per_file, options.memory)
    elif path.suffix.lower() in HDF5 and (found := _syllables(path, options)) is not None:
        array, ids, notes = found.spectrograms, _safe(found.ids), []
    elif path.suffix.lower() in READERS:
        size_of(path, "file")
        read = READERS[path.suffix.lower()]
        array, names, notes = read(path, options)
    else:
        kinds = f"{', '.join(READERS)}, or a folder of pictures or of .npy arrays"
        raise ValueError(f"{shown(path)} is of no known kind: pass {kinds}")
    _check_examples(array, shown(path), value_scale)
    told, settled = [], settled or found is not None
    if found is None or array.dtype != np.float16 or value_scale is not None:
        array, told = _in_units(array, shown(path), value_scale)
    array, moved = (array, []) if settled else _channels_first(array, images)
    ids = np.arange(len(array)).astype(str) if ids is None else ids
    notes = [shown(note) for note in notes + told + moved]
    told = {} if found is None else _told_of(found)
    return Arrays(array, ids, notes, names and [shown(name) for name in names], **told)


def _syllables(path: Path, options: _Options):
    """The `Syllables` of a file of `extract` or AVA; None of another, or where a key is given."""
    from rvae_lite.birdsong.ava import read_file

    return None if options.key is not None else read_file(path, memory=options.memory)


def _told_of(found) -> dict:
    """Labels and preprocessing of `Syllables`, where there are some."""
    labels = _safe(found.labels) if (found.labels != "").any() else None
    return dict(labels=labels, preprocessing=found.info.get("preprocessing"))


def _safe(texts: np.ndarray) -> np.ndarray:
    return np.array([shown(text) for text in texts.tolist()], np.str_)


def agreed_preprocessing(path, examples: Arrays, given):
    """How the examples at `path` were made: as their file says, else as the command was told.

    Raises:
        ValueError: the two contradict each other, or the command was told a plain text.
    """
    own = examples.preprocessing
    if own is None or given is None:
        return given if own is None else own
    if not isinstance(given, dict):
        raise ValueError(f"{shown(path)} tells its preprocessing itself: leave --preprocessing out")
    told = {key: own.get(key) for key in given}
    if differing := "; ".join(differences(given, told, ignore=("normalisation",))):
        wrong = f"--preprocessing contradicts what {shown(path)} says of itself ({differing})"
        raise ValueError(f"{wrong}: leave --preprocessing out, or extract anew")
    return own


def arranged(examples: Arrays, header: dict, *, value_scale: float | None = None) -> Arrays:
    """Examples as the maker of a Rosetta file had them: its columns in the file's order.

    A note says what was moved, and where names or the numbers that values were divided by differ.

    Raises:
        ValueError: the examples' file and the header tell of different preprocessings.
    """
    from rvae_lite.models.likeness import preprocessing_errors

    if wrong := preprocessing_errors(header.get("preprocessing"), examples.preprocessing):
        raise ValueError(f"points do not fit the data: {wrong[0]}")
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
            array = array.astype(np.float64, copy=not array.flags.writeable)
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
