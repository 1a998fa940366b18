"""The examples of a training side by side: in memory, or where they are many in a file on disk.

Letters: N examples, R Rosetta points.
"""

import tempfile

import numpy as np

from rvae_lite.arrays import in_units, pieces

IN_MEMORY = 2**28  # bytes up to which examples are copied in memory


def gathered(x: np.ndarray, rows: np.ndarray, others: np.ndarray | None) -> np.ndarray:
    """x[rows] and others, one after the other.

    Above 256 MiB they lie in a nameless file in the folder for temporary files (TMPDIR), mapped
    into memory, which goes with the array.

    Args:
        x: data, (N, *data).
        rows: which of them, in ascending order.
        others: the points' inputs, (R, *data), or None.  Of two types both become floats; float16
            stays, if it holds the points' inputs.
    """
    others = x[:0] if others is None else others
    if x.dtype == np.float16 and np.abs(others).max(initial=0) <= np.finfo(np.float16).max:
        others = in_units(others).astype(np.float16)
    dtype = x.dtype if x.dtype == others.dtype else np.dtype(np.float32)
    convert = np.asarray if x.dtype == others.dtype else in_units
    shape = (len(rows) + len(others), *x.shape[1:])
    if dtype.itemsize * np.prod(shape, dtype=float) <= IN_MEMORY:
        return np.concatenate([convert(x[rows]), convert(others)])
    with tempfile.TemporaryFile() as file:
        start = 0
        for piece in pieces(x):
            stop = start + len(piece)
            chosen = rows[np.searchsorted(rows, start) : np.searchsorted(rows, stop)]
            file.write(np.ascontiguousarray(convert(piece[chosen - start]), dtype).data)
            start = stop
        file.write(np.ascontiguousarray(convert(others), dtype).data)
        file.flush()
        return np.memmap(file, dtype, mode="r", shape=shape)
