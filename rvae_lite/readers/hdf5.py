"""Arrays of HDF5 files, read in a process of its own that follows nothing out of the file.

A damaged file can end HDF5's library by a fault of its own, or keep it busy for ever.  So this file
is also a script, which needs h5py and numpy alone: it looks into each file, refuses, or sends the
arrays block by block, within a limit of memory and time.  It starts in 0.2 s and reads any number
of files.  Never followed: external links, external storage, virtual datasets.
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

MOST_OBJECTS, MOST_NESTED, MOST_LINKS = 10_000, 32, 8
ENVIRONMENT = dict(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", HDF5_PLUGIN_PRELOAD="::")
BLOCK = 2**25  # bytes sent at once
SLACK = 2**31  # bytes of address space beside the arrays, for Python and the libraries
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
    paths, *, keys: list[str], attribute: str = "", memory: float | None = None
) -> Iterator[tuple[Path, dict, str | None]]:
    """Several arrays of several files, one process for all: (path, arrays by key, attribute).

    keys: which arrays; those that a file lacks are left out.
    attribute: name of an attribute of the file whose text is wanted, None where there is none.

    Raises:
        ValueError, FileNotFoundError, PermissionError: as `read_hdf5`.
    """
    for path, arrays, more in _read(paths, dict(keys=list(keys), attribute=attribute), memory):
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
        [sys.executable, "-P", "-W", "ignore", __file__],
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
    more, arrays = _line(process, order), {}
    for key, dtype, shape in more["arrays"]:
        arrays[key] = np.empty(shape, np.dtype(dtype))
        left = memoryview(arrays[key].reshape(-1).view(np.uint8))
        while left.nbytes:
            count = _line(process, order)["bytes"]
            if process.stdout.readinto(left[:count]) < count:
                _line(process, order)
            left = left[count:]
    return arrays, more


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


# The script


class _Refused(ValueError):
    """The file is sound, but cannot be taken as it is; the text goes on after its name."""


def _serve() -> None:
    """Read orders from standard input, write arrays to standard output."""
    orders = json.load(sys.stdin.buffer)
    _confine(max(order["limit"] for order in orders))
    for order in orders:
        try:
            _send(order)
        except _Refused as error:
            _tell(refused=str(error))
        except Exception as error:  # damage makes h5py raise many kinds
            _tell(damaged=str(error) or type(error).__name__)


def _confine(limit: int) -> None:
    """Let this process end with its parent, and let it have no more memory than it may need."""
    try:
        import ctypes
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit + SLACK, limit + SLACK))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    except (ImportError, AttributeError, OSError, ValueError):
        pass  # a system that knows no such limits


def _tell(**told) -> None:
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    sys.stdout.buffer.flush()


def _send(order: dict) -> None:
    import h5py

    with h5py.File(order["path"], "r") as file:
        if "keys" in order:
            found = {key: _at(file, key) for key in order["keys"]}
            found = {key: item for key, item in found.items() if isinstance(item, h5py.Dataset)}
            more = dict(attribute=_text(file, order["attribute"]))
        else:
            found, more = _chosen(file, order["key"])
            for key, dataset in found.items():
                more |= _said(key, dataset)
        total = sum(_checked_size(key, dataset) for key, dataset in found.items())
        arrays = [(key, item.dtype.str, item.shape) for key, item in found.items()]
        _tell(arrays=arrays, total=total, **more)
        if total <= order["limit"]:
            for dataset in found.values():
                _send_blocks(dataset)


def _send_blocks(dataset) -> None:
    if not dataset.size:
        return
    if not dataset.ndim:
        blocks = [()]
    else:
        rows = max(1, BLOCK * len(dataset) // dataset.nbytes)
        chunk = dataset.chunks[0] if dataset.chunks else 1
        rows = max(rows // chunk, 1) * chunk
        blocks = [slice(i, i + rows) for i in range(0, len(dataset), rows)]
    for block in blocks:
        content = np.asarray(dataset[block]).reshape(-1).view(np.uint8)
        _tell(bytes=content.nbytes)
        sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _chosen(file, key: str | None) -> tuple[dict, dict]:
    """The dataset of a key, or the only one, by its name, with notes; else the names there are."""
    import h5py

    if key is not None and isinstance(item := _at(file, key), h5py.Dataset):
        return {key: item}, dict(notes=[])
    own, elsewhere = _names(file)
    if key is None and len(own) == 1:
        listed = ", ".join(elsewhere[:8])
        left = f"{len(elsewhere)} arrays that lie in other files were left out: {listed}"
        return {own[0]: file[own[0]]}, dict(notes=[left] * bool(elsewhere))
    if key is None and not own and elsewhere:
        raise _elsewhere(elsewhere[0])
    return {}, dict(names=own)


def _names(file) -> tuple[list[str], list[str]]:
    """Datasets of the file, each once, and names of what lies in other files."""
    import h5py

    own, elsewhere, groups = [], [], [("", file)]
    seen = {h5py.h5o.get_info(file.id).addr}
    while groups:
        prefix, group = groups.pop()
        for name in group:
            place, link = f"{prefix}{name}", group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                continue
            item = group[name] if isinstance(link, h5py.HardLink) else None
            address = None if item is None else h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address or place)
            if len(seen) > MOST_OBJECTS or place.count("/") > MOST_NESTED:
                most = f"{MOST_OBJECTS} objects or groups nested {MOST_NESTED} deep"
                raise _Refused(f"holds more than {most}: name an array by key")
            if isinstance(item, h5py.Group):
                groups.append((f"{place}/", item))
            elif item is None or (isinstance(item, h5py.Dataset) and _points_away(item)):
                elsewhere.append(place)
            elif isinstance(item, h5py.Dataset):
                own.append(place)
    return sorted(own), sorted(elsewhere)


def _at(file, key: str):
    """What lies at a path in the file, link by link, or None."""
    import h5py

    item, parts, followed = file, key.split("/"), 0
    while parts:
        part = parts.pop(0)
        if part in ("", "."):
            continue
        if not isinstance(item, h5py.Group):
            return None
        try:
            link = item.get(part, getlink=True)
        except TypeError:  # a kind of link that h5py does not know
            raise _elsewhere(key) from None
        if link is None:
            return None
        if isinstance(link, h5py.SoftLink):
            followed += 1
            if followed > MOST_LINKS:
                raise _Refused(f"has a circle of links at {key}: name the array itself")
            item = file if link.path.startswith("/") else item
            parts = link.path.split("/") + parts
        elif isinstance(link, h5py.HardLink):
            item = item[part]
        else:
            raise _elsewhere(key)
    return item


def _elsewhere(key: str) -> _Refused:
    return _Refused(f"has {key} in another file, which is not followed: copy it into this one")


def _points_away(dataset) -> bool:
    import h5py

    plan = dataset.id.get_create_plist()
    return plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count() > 0


def _checked_size(key: str, dataset) -> int:
    """Bytes that a dataset unfolds to, after a look at all but its values."""
    if _points_away(dataset):
        raise _elsewhere(key)
    kind = dataset.dtype
    if kind.hasobject or kind.kind not in "biufcS":
        remedy = "write numbers, or texts of one length"
        raise _Refused(f"holds {kind if not kind.names else 'a table'} at {key}: {remedy}")
    if dataset.shape is None:
        raise _Refused(f"holds nothing at {key}: write the array into it")
    chunk = int(np.prod(dataset.chunks, dtype=object)) if dataset.chunks else 0
    return kind.itemsize * max(int(np.prod(dataset.shape, dtype=object)), chunk)


def _said(key: str, dataset) -> dict:
    """What the attributes of a dataset say: MATLAB's class, and the number of missing values."""
    numbers = {}
    for name in set(dataset.attrs) & {"scale_factor", "add_offset", "_FillValue", "missing_value"}:
        value = np.ravel(dataset.attrs[name])
        if value.size == 1 and value.dtype.kind in "iuf":
            numbers[name] = value.item()
    if numbers.get("scale_factor", 1) != 1 or numbers.get("add_offset", 0) != 0:
        packed = f"is packed at {key} (scale_factor, add_offset)"
        raise _Refused(f"{packed}: unpack it, and write it as floats")
    missing = numbers.get("_FillValue", numbers.get("missing_value"))
    missing = None if missing is None or not np.isfinite(missing) else missing
    return dict(matlab=_text(dataset, "MATLAB_class"), missing=missing)


def _text(file, attribute: str) -> str | None:
    """An attribute of the file as text, which a caller may find to be none."""
    value = file.attrs.get(attribute) if attribute else None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if value is None else str(value)


if __name__ == "__main__":
    _serve()
