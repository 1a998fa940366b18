"""Arrays of HDF5 files, read in a process of its own that follows nothing out of the file.

A damaged file can end HDF5's library by a fault of its own, or keep it busy for ever.  So the
script `hdf5_worker` looks into files, within a limit of memory and time.  It starts in 0.2 s and
reads any number of files.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from rvae_lite.readers.hdf5_worker import identity

HDF5 = (".h5", ".hdf5")
WORKER = Path(__file__).with_name("hdf5_worker.py")
ENVIRONMENT = dict(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", HDF5_PLUGIN_PRELOAD="::")
SECONDS, SPEED = 60, 1e6  # time for a small file; bytes a second that a large one has beside it


def read_hdf5(
    path, *, key: str | None = None, memory: float | None = None
) -> tuple[np.ndarray, list[str]]:
    """The array of a HDF5 file that has one, or the one named by `key`, and notes.

    What MATLAB wrote, whose axes lie in the file the other way round, comes as MATLAB shows it.

    key: its path in the file; soft links that stay in the file are followed.

    Raises:
        ValueError: damage; no or several arrays without a key; an array that lies in another file,
            is empty, packed (netCDF's scale_factor) or partly missing (_FillValue), holds objects,
            references or texts of several lengths, or unfolds to more than `limits.limit_of`
            allows.
        FileNotFoundError, PermissionError: the file is named.
    """
    from rvae_lite.readers.limits import shown

    ((_, arrays, more),) = _read([path], dict(key=key), memory)
    ((name, array),) = arrays.items()
    if more["missing"] is not None and (count := np.count_nonzero(array == more["missing"])):
        found = f"{count} missing values ({more['missing']:g}) at {shown(name)}"
        raise ValueError(f"{shown(path)} has {found}: drop their examples")
    if more["matlab"] == "logical":
        array = array.astype(bool)
    if more["matlab"] and array.ndim > 1:
        note = f"the axes were put into MATLAB's order, {array.T.shape}"
        return np.ascontiguousarray(array.T), [*more["notes"], note]
    return array, more["notes"]


def read_hdf5_files(
    paths,
    *,
    keys: list[str],
    needed: tuple[str, ...] = (),
    mapped: tuple[str, ...] = (),
    attribute: str = "",
    memory: float | None = None,
) -> Iterator[tuple[Path, dict, str | None]]:
    """Several arrays of several files, one process for all: (path, arrays by key, attribute).

    keys: which arrays; those that a file lacks are left out.
    needed: of a file that lacks one of these, all are left out.
    mapped: those that stay in the file, memory-mapped, where they lie in it in one piece.
    attribute: name of an attribute of the file whose text is wanted, None where there is none.

    Raises:
        ValueError, FileNotFoundError, PermissionError: as `read_hdf5`.
    """
    wanted = dict(keys=list(keys), needed=needed, mapped=mapped, attribute=attribute)
    for path, arrays, more in _read(paths, wanted, memory):
        yield path, arrays, more["attribute"]


def _read(paths, wanted: dict, memory: float | None) -> Iterator[tuple[Path, dict, dict]]:
    from rvae_lite.readers.files import size_of
    from rvae_lite.readers.limits import explained, limit_of

    paths = [Path(path) for path in paths]
    sizes = [size_of(path, "file") for path in paths]
    orders = []
    for path, size in zip(paths, sizes, strict=True):
        with explained(path, "HDF5"):
            path.open("rb").close()
        orders.append(dict(wanted, path=str(path), limit=limit_of(size, memory)))
    if not orders:
        return
    with _reader(orders, SECONDS + sum(sizes) / SPEED) as process:
        for path, order in zip(paths, orders, strict=True):
            with explained(path, "HDF5"):
                arrays, more = _received(process, order)
            yield path, arrays, more


@contextmanager
def _reader(orders: list[dict], seconds: float) -> Iterator[subprocess.Popen]:
    """The script of this file at work on orders, ended with the block or after some seconds."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | ENVIRONMENT,
    )
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        with suppress(BrokenPipeError):  # where it ended at once, as its output will tell
            process.stdin.write(json.dumps(orders).encode())
            process.stdin.close()
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _received(process, order: dict) -> tuple[dict, dict]:
    """Arrays of one file, and what else was told of it."""
    more = _line(process, order)
    arrays = _mapped(order["path"], more) if more["places"] else {}
    for key, dtype, shape in more["arrays"]:
        if key in arrays:
            continue
        arrays[key] = np.empty(shape, np.dtype(dtype))
        left = memoryview(arrays[key].reshape(-1).view(np.uint8))
        while left.nbytes:
            count = _line(process, order)["bytes"]
            if process.stdout.readinto(left[:count]) < count:
                _line(process, order)
            left = left[count:]
    return arrays, more


def _mapped(path: str, more: dict) -> dict:
    """Arrays that stay in the file, if it is still the one that the script has looked into."""
    from rvae_lite.readers.limits import Unsuitable

    places = more["places"]
    with open(path, "rb") as file:
        if identity(file.fileno()) != more["identity"]:
            raise Unsuitable("was replaced or written while it was read: try again")
        return {
            key: np.memmap(file, dtype, "r", places[key], tuple(shape))
            for key, dtype, shape in more["arrays"]
            if key in places
        }


def _line(process, order: dict) -> dict:
    from rvae_lite.readers.limits import Unsuitable, check_memory, choice

    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        status = process.wait()
        raise ValueError(f"the library of HDF5 failed or took too long, status {status}")
    told = json.loads(line)
    if "damaged" in told:
        raise ValueError(told["damaged"])
    if "refused" in told:
        raise Unsuitable(told["refused"])
    if "names" in told:
        raise choice(told["names"], order["key"])
    if "total" in told:
        check_memory(told["total"], order["limit"])
    return told
