"""Numbers and text from MATLAB's MAT-5 files; every tag is checked against the file's bytes.

MathWorks, MAT-File Format (2019), Chapter 1.  Nothing of an array that is not asked for is unfolded
but its name.
"""

import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.readers.files import opened, size_of

HEADER = 128  # bytes before the first element
MATRIX, COMPRESSED = 14, 15  # types of elements that hold others
TYPES = dict(enumerate(("i1", "u1", "i2", "u2", "i4", "u4", "f4"), 1)) | {
    9: "f8",
    12: "i8",
    13: "u8",
}
TEXTS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
CELL, CHAR = 1, 4  # classes of arrays
CLASSES = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), 6))
COMPLEX = 0x0800
MOST_DIMENSIONS = 32
MOST_NAME = 2**12  # bytes in which the name of an array is found
LIMIT = 2**29  # bytes that the arrays may take


class Damaged(ValueError):
    """The bytes of a file contradict each other; the text is a reason within a sentence."""


def read_mat5(path, names, *, limit: int = LIMIT, remedy: str = "save it again with -v7") -> dict:
    """Those of the named arrays that a file holds, name -> array of its own shape.

    Numbers come as they were saved, text as an array of single characters (rows, columns), cells
    of text as an array of objects, each a str.

    Args:
        path: a MAT-5 file ("-v6", "-v7").
        names: which arrays to read.
        limit: bytes that these may take together, or 4 times the file's size if that is more.
        remedy: the end of each refusal.

    Raises:
        FileNotFoundError, PermissionError: the file is not there, or may not be read.
        ValueError: no regular file, another format, damage, a type that is not read, more bytes
            than `limit`.
    """
    path, found, size = Path(path), {}, size_of(path, "MATLAB file")
    budget = _Budget(max(limit, 4 * size))
    try:
        with opened(path, "MATLAB file") as file:
            order = _byte_order(file.read(HEADER))
            while file.tell() < size:
                name, element = _element(file, size, order, names, budget)
                if name in found:
                    raise Damaged(f"it holds {name!r} twice")
                if element is not None:
                    found[name] = _array(element, order, budget)
    except (Damaged, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error}): {remedy}") from error
    return found


class _Budget:
    """How many bytes may still be unfolded."""

    def __init__(self, limit: int):
        self.limit = self.left = limit

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Damaged(f"it unfolds to more than {self.limit / 2**20:.6g} MiB")


class _Matrix(NamedTuple):
    """What stands before an array's values, and how many bytes of the element that took."""

    kind: int
    is_complex: bool
    shape: tuple
    name: str
    used: int


def _byte_order(header: bytes) -> str:
    if header[:10] == b"MATLAB 7.3" or header[:4] == b"\x89HDF":
        raise Damaged("it is a MATLAB 7.3 file, of HDF5")
    if 0 in header[:4]:
        raise Damaged("it is a MATLAB 4 file, or none")
    if len(header) < HEADER:
        raise Damaged(f"it has {len(header)} bytes, a MAT-5 file at least {HEADER}")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None or struct.unpack(order + "H", header[124:126])[0] >> 8 != 1:
        raise Damaged("it has no header of MAT-5")
    return order


def _element(file, size: int, order: str, names, budget: _Budget) -> tuple[str, bytes | None]:
    """Name of the next array of the file, and its bytes if it is among `names`."""
    tag = file.read(8)
    if len(tag) < 8:
        raise Damaged("it is cut off in a tag")
    kind, length = struct.unpack(order + "II", tag)
    start = file.tell()
    if length > size - start:
        raise Damaged(f"an element says {length} bytes, {size - start} are left")
    if kind not in (MATRIX, COMPRESSED):
        raise Damaged(f"there is an element of type {kind} among the arrays")
    unfold = zlib.decompressobj()
    payload = file.read(min(length, 4 * MOST_NAME))
    head = payload if kind == MATRIX else unfold.decompress(payload, MOST_NAME)
    if kind == COMPRESSED:
        inner, head = _tag(head, 0, order), head[8:]
        if inner[0] != MATRIX:
            raise Damaged(f"a compressed element holds type {inner[0]}")
    total = length if kind == MATRIX else inner[1]
    name = _matrix(head[:total], order).name
    if name not in names:
        file.seek(start + length)
        return name, None
    budget.spend(total)
    payload += file.read(length - len(payload))
    if kind == COMPRESSED:
        unfold = zlib.decompressobj()
        payload = unfold.decompress(payload, total + 9)[8:]  # a byte more than it says
        if not unfold.eof:
            raise Damaged(f"{name!r} unfolds to another length than it says")
    if len(payload) != total:
        raise Damaged(f"{name!r} has {len(payload)} bytes, not {total}")
    return name, payload


def _tag(element: bytes, place: int, order: str) -> tuple[int, int, int, int]:
    """Type and length of the element at `place`, where its bytes start, where the next one does."""
    if place + 8 > len(element):
        raise Damaged("an array is cut off")
    kind, length = struct.unpack_from(order + "II", element, place)
    if kind >> 16:  # the small form: length, type and up to 4 bytes within 8
        kind, length = kind & 0xFFFF, kind >> 16
        if length > 4:
            raise Damaged(f"a small element says {length} bytes")
        return kind, length, place + 4, place + 8
    return kind, length, place + 8, place + 8 + -(-length // 8) * 8


def _part(element: bytes, place: int, order: str, types) -> tuple[int, bytes, int]:
    """Type and bytes of the element at `place`, one of `types`; where the next one starts."""
    kind, length, start, after = _tag(element, place, order)
    if kind not in types:
        raise Damaged(f"a part of an array is of type {kind}")
    if start + length > len(element):
        raise Damaged(f"a part of an array says {length} bytes, {len(element) - start} are left")
    return kind, element[start : start + length], after


def _matrix(element: bytes, order: str) -> _Matrix:
    """Flags, dimensions and name of an array."""
    if not element:  # an array without anything, as in an empty cell
        return _Matrix(6, False, (0, 0), "", 0)
    _, flags, place = _part(element, 0, order, {6})
    if len(flags) != 8:
        raise Damaged(f"the flags of an array have {len(flags)} bytes")
    _, sizes, place = _part(element, place, order, {5})
    if len(sizes) % 4 or not 8 <= len(sizes) <= 4 * MOST_DIMENSIONS:
        raise Damaged(f"the dimensions of an array have {len(sizes)} bytes")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(shape) < 0:
        raise Damaged(f"an array of {'x'.join(map(str, shape))}")
    _, name, place = _part(element, place, order, {1, 16})
    word = struct.unpack(order + "I", flags[:4])[0]
    return _Matrix(word & 0xFF, bool(word & COMPLEX), shape, name.decode("latin-1"), place)


def _array(element: bytes, order: str, budget: _Budget) -> np.ndarray:
    matrix = _matrix(element, order)
    count = math.prod(matrix.shape)
    if matrix.kind == CELL:
        return _cells(element, matrix, count, order, budget)
    if matrix.kind not in (CHAR, *CLASSES) or matrix.is_complex:
        raise Damaged(f"{matrix.name!r} is neither real numbers nor text")
    types = TYPES if matrix.kind in CLASSES else TYPES | TEXTS
    if not count and matrix.used >= len(element):  # no values need no element
        kind, content = 1, b""
    else:
        kind, content, _ = _part(element, matrix.used, order, types)
    if kind in TEXTS:
        budget.spend(4 * len(content))
        units = {"<": "-le", ">": "-be"}[order] if kind > 16 else ""
        text = content.decode(TEXTS[kind] + units)
        values = np.frombuffer(text.encode("utf-32-le"), "<u4")
    else:
        stored = np.dtype(order + TYPES[kind])
        if len(content) % stored.itemsize:
            raise Damaged(f"{matrix.name!r} has {len(content)} bytes of {stored.itemsize} each")
        values = np.frombuffer(content, stored)
    if len(values) != count:
        shape = "x".join(map(str, matrix.shape))
        raise Damaged(f"{matrix.name!r} is {shape} and has {len(values)} values")
    wanted = np.dtype(CLASSES.get(matrix.kind, "u4"))
    budget.spend(count * wanted.itemsize)
    if wanted.kind in "iu" and values.dtype.kind == "f":
        raise Damaged(f"{matrix.name!r} has fractions among integers")
    with np.errstate(over="ignore"):
        values = values.astype(wanted)
    if matrix.kind == CHAR:
        if ((values > 0x10FFFF) | (values >> 11 == 0x1B)).any():  # beyond Unicode, half a pair
            raise Damaged(f"{matrix.name!r} holds numbers that are no characters")
        values = values.view("U1")
    return values.reshape(matrix.shape, order="F")


def _cells(element: bytes, matrix: _Matrix, count: int, order: str, budget) -> np.ndarray:
    """Cells of text; each is an array of its own."""
    if count > (len(element) - matrix.used) // 8:
        raise Damaged(f"{matrix.name!r} says {count} cells in {len(element)} bytes")
    budget.spend(64 * count)
    cells, place = np.empty(count, object), matrix.used
    for i in range(count):
        _, content, place = _part(element, place, order, {MATRIX})
        inner = _matrix(content, order)
        if inner.kind != CHAR and 0 not in inner.shape:
            raise Damaged(f"{matrix.name!r} has cells that are no text")
        text = _array(content, order, budget) if inner.kind == CHAR else np.empty(0, "U1")
        cells[i] = "".join(text.ravel().tolist())
    return cells.reshape(matrix.shape, order="F")
