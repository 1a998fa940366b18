"""Arrays and a JSON header in one zip file: replaced in one step, verified when read, no pickle."""

import hashlib
import io
import json
import math
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

KINDS = "fiubU"  # of arrays in our files: numbers and text
MOST_MEMBERS = 100_000


def write_atomically(path, write) -> None:
    """Call `write(file)` on a temporary binary file, then move that file to `path` in one step.

    Raises:
        OSError: the place cannot be written or the disk is full; nothing half-written stays.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}."
        handle, temporary = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        wrong = f"cannot write {path} ({error.strerror or error})"
        remedy = "free some space or choose another path"
        raise OSError(error.errno, f"{wrong}: {remedy}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def content_hash(header: dict, arrays: dict) -> str:
    """SHA-256 over the header, but for its entry `sha256`, and all arrays with names and shapes."""
    digest = hashlib.sha256()
    plain = {key: value for key, value in header.items() if key != "sha256"}
    digest.update(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def differences(one: dict, other: dict, *, ignore: tuple = ()) -> list[str]:
    """The entries in which two dictionaries of settings differ, as "key: value against value"."""
    # Tuples become lists, as in a file.
    one, other = json.loads(json.dumps(one)), json.loads(json.dumps(other))
    keys = [key for key in one | other if key not in ignore and one.get(key) != other.get(key)]
    return [f"{key}: {one.get(key)!r} against {other.get(key)!r}" for key in keys]


def save_arrays(path, *, kind: str, version: int, header: dict, arrays: dict) -> dict:
    """Write `arrays` and `header` to `path` atomically; returns the header as written, with hash.

    Raises:
        ValueError: Python objects among the arrays, or a header that is not JSON.
        OSError: as for `write_atomically`.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    objects = ", ".join(sorted(name for name, array in arrays.items() if array.dtype.hasobject))
    if objects:
        wrong = f"a {kind} file cannot hold Python objects ({objects})"
        raise ValueError(f"{wrong}: pass numbers or text")
    header = {**header, "kind": kind, "schema_version": version}
    try:
        header["sha256"] = content_hash(header, arrays)
    except TypeError as error:
        wanted = "JSON (text, numbers, lists)"
        raise ValueError(f"the header of a {kind} file must be {wanted}: {error}") from error
    text = np.array(json.dumps(header, sort_keys=True))
    write_atomically(path, lambda file: np.savez(file, header=text, **arrays))
    return header


def load_arrays(path, *, kind: str, version: int) -> tuple[dict, dict]:
    """Read what `save_arrays` wrote: (header, arrays), every byte verified against the stored hash.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: the file is damaged, altered, of another kind, pickled, or of a newer version.
    """
    header, arrays, digest = _load(path, kind)
    found_kind, found = header.get("kind"), header.get("schema_version")
    if found_kind != kind:
        wrong = f"{path} is a {repr(found_kind)[:80]} file, not a {kind} file"
        raise ValueError(f"{wrong}: pass the right one")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        wrong = f"{path} has no valid schema_version (found {repr(found)[:80]})"
        raise ValueError(f"{wrong}: get a fresh copy of it")
    if found > version:
        wrong = f"{path} has schema version {found}, this rvae_lite reads up to {version}"
        raise ValueError(f"{wrong}: upgrade rvae_lite")
    if header.get("sha256") != digest:
        wrong = f"{path} was altered after it was written (its SHA-256 differs)"
        raise ValueError(f"{wrong}: get a fresh copy of it")
    return header, arrays


def kind_of(path) -> str:
    """Which kind of file `save_arrays` wrote: "rosetta", "fit", "checkpoint", ...

    Raises:
        FileNotFoundError, PermissionError, ValueError: as for `load_arrays`.
    """
    return str(_load(path, "rvae_lite")[0].get("kind"))


def _load(path, kind: str) -> tuple[dict, dict, str]:
    """Header, arrays and their hash."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {kind} file at {path}: check the path")
    try:
        arrays = _read_members(path)
        header = json.loads(str(arrays.pop("header")))
        if not isinstance(header, dict):
            raise ValueError("its header is not a JSON object")
        return header, arrays, content_hash(header, arrays)
    except PermissionError as error:
        wrong = f"{path} may not be read: change its permissions"
        raise PermissionError(error.errno, wrong) from error
    except Exception as error:  # every sort of damage gives the same refusal
        reason = " ".join(str(error)[:200].split()) or type(error).__name__
        wrong = f"{path} is not a readable {kind} file ({reason})"
        raise ValueError(f"{wrong}: get a fresh copy of it") from error


def _read_members(path: Path) -> dict:
    arrays, left = {}, path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"it holds {len(members)} members")
        for member in members:
            # No member is compressed or stored twice: a file needs no more memory than its size.
            left -= member.file_size
            if member.compress_type != zipfile.ZIP_STORED or left < 0:
                raise ValueError("it holds a compressed member")
            name = member.filename.removesuffix(".npy")
            if name in arrays or name == member.filename:
                raise ValueError(f"unexpected member {member.filename[:80]!r}")
            arrays[name] = _read_array(archive.read(member))
    if "header" not in arrays:
        raise ValueError("it has no header")
    return arrays


def _read_array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array of an unknown format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are never loaded")
    if dtype.kind not in KINDS or not dtype.itemsize:
        raise ValueError(f"it holds {str(dtype)[:40]}, which is neither numbers nor text")
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if min(shape, default=0) < 0 or expected != found:
        raise ValueError("an array of another length than its header says")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)
