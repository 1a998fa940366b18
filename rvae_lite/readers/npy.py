"""Arrays of .npy and .npz files: the header is read and compared before anything is unfolded.

No pickle is ever loaded.  The members of a .npz are found in the directory of the zip file.
"""

import json
import math
import warnings
import zipfile
from pathlib import Path

import numpy as np

from rvae_lite.readers.files import size_of
from rvae_lite.readers.limits import Unsuitable, check_memory, choice, explained, limit_of

MOST_HEADER = 2**24  # bytes of a text that may be the header of a file of rvae_lite
BLOCK = 2**24  # bytes read at once
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npy(path: Path) -> np.ndarray:
    """The array of a .npy file, of any version.

    Raises:
        ValueError: damage, objects, a table with named columns, or more than one array.
        FileNotFoundError, PermissionError: the file is named.
    """
    size = size_of(path, "file")
    with explained(path, ".npy"), path.open("rb") as file:
        return _read_array(file, size)


def read_npz(
    path: Path, *, key: str | None = None, memory: float | None = None
) -> tuple[np.ndarray, list[str]]:
    """The array of a .npz file that has one, or the one named by `key`, and notes on the rest.

    Raises:
        ValueError: as `read_npy`; no or several arrays without a key; a file of rvae_lite; an array
            that unfolds to more than `limits.limit_of` allows.
        FileNotFoundError, PermissionError: the file is named.
    """
    limit = limit_of(size_of(path, "file"), memory)
    with explained(path, ".npz"), zipfile.ZipFile(path) as archive:
        members = _members(archive)
        if _is_ours(archive, members.get("header")):
            remedy = "pass the data, or look into it with inspect"
            raise Unsuitable(f"is a file of rvae_lite, not data: {remedy}")
        name = next(iter(members)) if key is None and len(members) == 1 else key
        if name not in members:
            raise choice(list(members), key)
        check_memory(members[name].file_size, limit)
        array = read_member(archive, members[name])
        others = len(archive.infolist()) - len(members)
    note = f"{others} members of {path.name} are no arrays and were left out"
    return array, [note] * (others > 0)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """What the directory lists, by the names that numpy gives to arrays."""
    members = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise Unsuitable(f"holds two arrays called {name!r}: write it again")
        if name != member.filename:
            members[name] = member
    return members


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """The array of one member, whose size the caller has compared with a limit.

    Raises:
        Unsuitable: it is packed as numpy packs none, holds objects, or is no single array.
        Exception: of many kinds, where it is damaged.
    """
    if member.compress_type not in PACKED:
        raise Unsuitable("is packed in a way that numpy does not write: write it with numpy.savez")
    with archive.open(member) as file:
        return _read_array(file, member.file_size)


def _is_ours(archive: zipfile.ZipFile, member: zipfile.ZipInfo | None) -> bool:
    """Whether an array called header is what `storage.save_arrays` writes into each file."""
    if member is None or member.file_size > MOST_HEADER:
        return False
    try:
        array = read_member(archive, member)
        header = None if array.shape or array.dtype.kind != "U" else json.loads(str(array))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and {"kind", "schema_version"} <= header.keys()


def _read_array(file, size: int) -> np.ndarray:
    """The array in an open file of `size` bytes, read once its header was found to be true."""
    version = np.lib.format.read_magic(file)
    header = getattr(np.lib.format, f"read_array_header_{min(version[0], 2)}_0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files that Python 2 wrote
        shape, by_columns, dtype = header(file)
    if dtype.hasobject:
        raise Unsuitable("holds pickled objects, which are never loaded: save numbers")
    if dtype.names:
        named = ", ".join(dtype.names[:8])
        raise Unsuitable(f"holds a table with named columns ({named}): save them as (N, D) numbers")
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or not dtype.itemsize or expected > found:
        raise ValueError(f"its header says {shape} {dtype}, {found} bytes follow")
    if expected < found:
        raise Unsuitable(f"holds {found - expected} bytes after its array: save one array a file")
    array = np.empty(shape[::-1] if by_columns else shape, dtype)
    left = memoryview(array.reshape(-1).view(np.uint8))
    while left.nbytes:
        count = file.readinto(left[:BLOCK])
        if not count:
            raise ValueError("it is cut off")
        left = left[count:]
    if file.read(1):  # where a packed member ends, its checksum is compared
        raise ValueError("it goes on after its end")
    return array.T if by_columns else array
