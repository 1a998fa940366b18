"""Arrays and a JSON header in one zip file: replaced in one step, verified when read, no pickle."""

import hashlib
import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np

from rvae_lite.publishing import expanded, printable, write_atomically

KINDS = "fiubU"  # of arrays in our files: numbers and text
MOST_MEMBERS = 100_000
MOST_TOLD, LONGEST_TOLD = 8, 80  # differences of settings, and characters of each
LONGEST_HEADER, DEEPEST_HEADER = 2**24, 20  # characters; dictionaries or lists in each other
FRESH_COPY = "get a fresh copy of it"


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
    one, other = as_read(one), as_read(other)
    keys = [key for key in one | other if key not in ignore]
    # As text, in which NaN equals NaN.
    keys = [key for key in keys if json.dumps(one.get(key)) != json.dumps(other.get(key))]
    pairs = [(key, _short(one.get(key)), _short(other.get(key))) for key in keys]
    told = [
        f"{printable(key[:LONGEST_TOLD])}: {own} against {theirs}" for key, own, theirs in pairs
    ]
    more = [f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
    return told[:MOST_TOLD] + more


def _short(value) -> str:
    text = repr(value)
    return printable(text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}...")


def as_read(header: dict) -> dict:
    """A header as a reader of its file will see it: keys are text, tuples are lists.

    Raises:
        TypeError: a value that is not JSON.
        ValueError: two keys become one, as 1 and "1" do, or it is too long or nested too deeply.
    """
    return parsed(json.dumps(header, default=_plain_number))


def _plain_number(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def parsed(text: str) -> dict:
    """The JSON object in a text.  Raises ValueError where it is none, or no honest one."""
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"its header has {len(text)} characters")
    header = json.loads(text, object_pairs_hook=without_repeats)
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    inside = [header]
    for _ in range(DEEPEST_HEADER):
        inside = [value for entry in inside for value in _entries(entry)]
    if inside:
        raise ValueError(f"its header is nested more than {DEEPEST_HEADER} deep")
    return header


def without_repeats(pairs: list) -> dict:
    """What `json.loads` makes of an object.  Raises ValueError where a name is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {twice[:80]!r} twice")
    return found


def _entries(value):
    """What is directly inside a dictionary or list that itself has insides."""
    values = value.values() if isinstance(value, dict) else value
    return [each for each in values if isinstance(each, dict | list)]


def save_arrays(path, *, kind: str, version: int, header: dict, arrays: dict) -> dict:
    """Write `arrays` and `header` to `path` atomically; returns the header as written, with hash.

    path: of the file, or a binary file that is open for writing, as `publish` hands out.

    Raises:
        ValueError: Python objects among the arrays, or a header that is not JSON.
        OSError: as for `write_atomically`.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    objects = ", ".join(sorted(name for name, array in arrays.items() if array.dtype.hasobject))
    if objects:
        wrong = f"a {kind} file cannot hold Python objects ({objects})"
        raise ValueError(f"{wrong}: pass numbers or text")
    try:
        header = as_read({**header, "kind": kind, "schema_version": version})
    except (TypeError, ValueError, RecursionError) as error:
        wanted = "JSON (text, numbers, lists)"
        raise ValueError(f"the header of a {kind} file must be {wanted}: {error}") from error
    header["sha256"] = content_hash(header, arrays)
    text = np.array(json.dumps(header, sort_keys=True))
    if hasattr(path, "write"):
        np.savez(path, header=text, **arrays)
    else:
        write_atomically(path, lambda file: np.savez(file, header=text, **arrays))
    return header


def load_arrays(
    path, *, kind: str, version: int, check=None, remedy: str = FRESH_COPY
) -> tuple[dict, dict]:
    """Read what `save_arrays` wrote: (header, arrays), every byte verified against the stored hash.

    Args:
        path: of the file.
        kind, version: what it has to be, and the newest version that is understood.
        check: check(header, arrays) raises ValueError where they are not what such a file holds:
            names, types, shapes, counts.
        remedy: what to do about a damaged file.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: the file is damaged, altered, of another kind, pickled, or of a newer version.
    """
    header, arrays, digest = _load(path, kind, remedy)
    found_kind, found = header.get("kind"), header.get("schema_version")
    if found_kind != kind:
        wrong = f"{path} is a {repr(found_kind)[:80]} file, not a {kind} file"
        raise ValueError(f"{wrong}: pass the right one")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        wrong = f"{path} has no valid schema_version (found {repr(found)[:80]})"
        raise ValueError(f"{wrong}: {remedy}")
    if found > version:
        wrong = f"{path} has schema version {found}, this rvae_lite reads up to {version}"
        raise ValueError(f"{wrong}: upgrade rvae_lite")
    if header.get("sha256") != digest:
        wrong = f"{path} was altered after it was written (its SHA-256 differs)"
        raise ValueError(f"{wrong}: {remedy}")
    if check is not None:
        try:
            check(header, arrays)
        except ValueError as error:
            wrong = f"{path} holds no valid {kind} ({printable(str(error))})"
            raise ValueError(f"{wrong}: {remedy}") from error
    return header, arrays


def kind_of(path) -> str:
    """Which kind of file `save_arrays` wrote: "rosetta", "fit", "checkpoint", ...

    Raises:
        FileNotFoundError, PermissionError, ValueError: as for `load_arrays`.
    """
    return str(_load(path, "rvae_lite")[0].get("kind"))


def check_names(arrays: dict, needed: list[str], *, prefix: str | None = None) -> None:
    """Raises ValueError for arrays that lack, or that no such file holds."""
    missing = sorted(set(needed) - arrays.keys())
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    others = sorted(arrays.keys() - set(needed))
    unknown = [name for name in others if prefix is None or not name.startswith(prefix)]
    if unknown:
        raise ValueError(f"it also holds {', '.join(unknown)[:80]}")


def check_array(
    name: str, array: np.ndarray, *, shape, dtype=None, kind=None, finite: bool = True
) -> None:
    """Raises ValueError for an array of another type or shape, empty, or with NaN in it.

    shape: None stands for any length from 1 up.  dtype, kind: its type, or the letters of several.
    """
    right = array.ndim == len(shape)
    sizes = zip(array.shape, shape, strict=False)
    right = right and all(size == known if known is not None else size for size, known in sizes)
    right = right and (kind is None or array.dtype.kind in kind)
    right = right and (dtype is None or array.dtype == dtype)
    if not right:
        wanted = " x ".join("any" if size is None else str(size) for size in shape)
        found = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"{name} must be {dtype or 'numbers'}, {wanted}, not {found}")
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinite values")


def check_entries(header: dict, **kinds) -> None:
    """Raises ValueError where an entry of a header lacks or is of another kind."""
    for name, kind in kinds.items():
        if name not in header or not isinstance(header[name], kind):
            raise ValueError(f"its header has no valid {name}")


def _load(path, kind: str, remedy: str = FRESH_COPY) -> tuple[dict, dict, str]:
    """Header, arrays and their hash."""
    path = expanded(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {kind} file at {path}: check the path")
    try:
        arrays = _read_members(path)
        header = parsed(str(arrays.pop("header")))
        return header, arrays, content_hash(header, arrays)
    except PermissionError as error:
        wrong = f"{path} may not be read: change its permissions"
        raise PermissionError(error.errno, wrong) from error
    except Exception as error:  # every sort of damage gives the same refusal
        reason = printable(" ".join(str(error)[:200].split())) or type(error).__name__
        wrong = f"{path} is not a readable {kind} file ({reason})"
        raise ValueError(f"{wrong}: {remedy}") from error


def _read_members(path: Path) -> dict:
    arrays, left = {}, path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"it holds {len(members)} members")
        for member in members:
            # No member is compressed or stored twice: a file needs no more memory than its size.
            left -= member.file_size
            plain = member.compress_type == zipfile.ZIP_STORED
            if not plain or member.compress_size != member.file_size or left < 0:
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
