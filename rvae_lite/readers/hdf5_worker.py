"""Look into HDF5 files and send their arrays: a script that `hdf5` runs in a process of its own.

It reads orders as JSON from standard input, and refuses, or sends the arrays block by block to
standard output.  It needs h5py and numpy alone.  Never followed: external links, external storage,
virtual datasets.
"""

import json
import math
import os
import sys

import numpy as np

MOST_OBJECTS, MOST_NESTED, MOST_LINKS = 10_000, 32, 8
MOST_EMPTY = 100_000  # chunks that were never written: each costs time
BLOCK = 2**25  # bytes sent at once
SLACK = 2**31  # bytes of address space beside the arrays, for Python and the libraries


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
            found = found if found.keys() >= set(order["needed"]) else {}
            more = dict(attribute=_text(file, order["attribute"]))
        else:
            found, more = _chosen(file, order["key"])
            for key, dataset in found.items():
                more |= _said(key, dataset)
        sizes = {key: _checked_size(key, dataset) for key, dataset in found.items()}
        places = {key: _place(found[key]) for key in order.get("mapped", []) if key in found}
        places = {key: offset for key, offset in places.items() if offset is not None}
        total = sum(size for key, size in sizes.items() if key not in places)
        arrays = [(key, item.dtype.str, item.shape) for key, item in found.items()]
        more |= dict(identity=identity(file.id.get_vfd_handle()) if places else None)
        _tell(arrays=arrays, total=total, places=places, **more)
        if total <= order["limit"]:
            for key in found.keys() - places.keys():
                _check_written(key, found[key])
            for key in [key for key in found if key not in places]:
                _send_blocks(found[key])


def _place(dataset) -> int | None:
    """Where a dataset's numbers lie in the file, one after the other; None where they do not."""
    import h5py

    kept = dataset.id.get_storage_size() == dataset.nbytes > 0
    same = h5py.h5t.py_create(dataset.dtype) == dataset.id.get_type()  # some numpy has not
    mappable = kept and same and dataset.dtype.isnative and not dataset.chunks
    return dataset.id.get_offset() if mappable else None


def identity(handle: int) -> list[int]:
    """What tells an open file from one that took its place, or was written since."""
    status = os.fstat(handle)
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]


def _check_written(key: str, dataset) -> None:
    """Refuse an array that is mostly fill values, chunk by chunk, which takes time for nothing."""
    if dataset.chunks:
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        parts = math.prod(-(-length // side) for length, side in sides)
        if parts - dataset.id.get_num_chunks() > MOST_EMPTY:
            remedy = "write the whole array, in larger chunks"
            raise _Refused(f"has {parts} chunks at {key}, most of them never written: {remedy}")


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
