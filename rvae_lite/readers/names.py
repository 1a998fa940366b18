"""What a file calls its examples: the id column of a table, the array `ids` of HDF5 or .npz.

Letters: N examples.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import as_text
from rvae_lite.readers.cells import head_of, number, read_cells, rows_of, sheet_of
from rvae_lite.readers.hdf5 import read_hdf5_files
from rvae_lite.readers.limits import explained, shown
from rvae_lite.readers.npy import read_npz

CALLED = ("id", "ids")


class Names(NamedTuple):
    """ids: of the examples, (N,) text, or None; others: columns or arrays beside them."""

    ids: np.ndarray | None
    others: list[str]


def names_in(path, *, beside=(), memory: float | None = None) -> Names:
    """The ids that a file has for its examples, and what else it holds.

    Args:
        path: .csv, .tsv, .npz or HDF5; files of other kinds have no ids.
        beside: names of arrays that are looked for in HDF5, where not all can be listed.
        memory: GiB that the arrays may take.

    Raises:
        FileNotFoundError, PermissionError: the file is not there, or may not be read.
        ValueError: it is damaged, or its ids are not one list of names or numbers.
    """
    path = Path(path)
    read = READERS.get(path.suffix.lower())
    ids, others = (None, []) if read is None else read(path, beside, memory)
    if ids is None:
        return Names(None, others)
    if np.ndim(ids) != 1:
        raise ValueError(f"{shown(path)} has ids of shape {np.shape(ids)}: write one per example")
    return Names(as_text(f"ids of {shown(path)}", ids), others)


def _table(path: Path, beside, memory) -> tuple:
    sheet = sheet_of(path)
    line = head_of(sheet.content, 1)
    if line.count(b'"') % 2:  # a name of several lines
        return None, []
    first = rows_of(sheet._replace(content=line))[0][1]
    places = [i for i, name in enumerate(first) if name.lower() in CALLED]
    if not places and not first[0]:
        places = [0]  # as pandas writes the names of rows
    if len(places) != 1:
        return None, []
    ids = [cells[places[0]] for _, cells in read_cells(path).rows[1:]]
    if not first[places[0]] and all(number(cell) is not None for cell in ids):
        return None, []  # they count the rows
    return ids, [name for i, name in enumerate(first) if i != places[0]]


def _hdf5(path: Path, beside, memory) -> tuple:
    ((_, arrays, _),) = read_hdf5_files([path], keys=[*CALLED, *beside], memory=memory)
    return _first(arrays), [name for name in arrays if name not in CALLED]


def _npz(path: Path, beside, memory) -> tuple:
    with explained(path, ".npz"), zipfile.ZipFile(path) as archive:
        held = [name.removesuffix(".npy") for name in archive.namelist()]
    arrays = {name: read_npz(path, key=name, memory=memory)[0] for name in CALLED if name in held}
    return _first(arrays), [name for name in held if name not in CALLED]


def _first(arrays: dict):
    return next((arrays[name] for name in CALLED if name in arrays), None)


READERS = {".csv": _table, ".tsv": _table, ".h5": _hdf5, ".hdf5": _hdf5, ".npz": _npz}
