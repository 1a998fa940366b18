"""What leaves the process: files that appear whole, several together; text that is only text."""

import hashlib
import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

MOST_WRITERS = 100  # of one file at the same time
OPEN_NEW = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
PART = re.compile(r"\.[^/\\]+\.\w+\.part")  # names of files that are being written


def expanded(path) -> Path:
    """A path whose leading ~ is the home folder, unless something of that very name exists."""
    path = Path(path)
    with suppress(RuntimeError):  # ~ before the name of nobody
        return path if os.path.lexists(path) else path.expanduser()
    return path


def write_atomically(path, write) -> None:
    """Call `write(file)` on a temporary binary file, then move that file to `path` in one step.

    Raises:
        OSError: the place cannot be written or the disk is full; nothing half-written stays.
    """
    publish({path: write}, replace=True)


def publish(contents: dict, *, replace: bool = False) -> list[Path]:
    """Write several files: all appear, or none, whenever the process ends.

    Each is written beside its place first.  A journal beside the first one names them while they
    move into place, so that the next run can finish what a killed one began, see `recover`.

    Args:
        contents: path -> write(file), which writes a binary file.
        replace: take the place of files that are there already; else the new ones get names of
            their own, such as NAME-1.npz.

    Returns:
        The paths that were written, in their order.

    Raises:
        OSError: a place cannot be written or the disk is full; nothing half-written stays.
    """
    parts = []
    try:
        for path, write in contents.items():
            parts.append(_Part(expanded(path)))
            parts[-1].fill(write)
        if len(parts) > 1 or not replace:
            return _move_together(parts, replace)
        parts[0].move(parts[0].path)
        return [parts[0].path]
    finally:
        for part in parts:
            part.close()


def _move_together(parts: list["_Part"], replace: bool) -> list[Path]:
    first = parts[0].path
    with _explained(first), _locked_journal(first) as journal:
        paths = [part.path for part in parts]
        paths = paths if replace else _free_names(paths)
        pairs, moved = list(zip(paths, parts, strict=True)), []
        named = {path.name: part.temporary.name for path, part in pairs}
        journal.write(json.dumps(named).encode())
        journal.flush()
        os.fsync(journal.fileno())
        try:
            for path, part in pairs:
                part.move(path)
                moved.append(path)
        except OSError:
            for path in [] if replace else moved:
                path.unlink(missing_ok=True)
            raise
    return paths


@contextmanager
def claimed(path, *, wait: bool = False):
    """Claim `path` while the block lasts: of several processes one works on it at a time.

    Yields whether the claim is ours; with `wait`, another process's is waited for.  A claim ends
    with its process.  On a file system without locks every claim is granted.
    """
    path = expanded(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        place = path.with_name(f".{path.name[:200]}.claim")
        handle = _locked(place, wait=wait, alone=False)
    if handle is None:
        yield False
        return
    with os.fdopen(handle, "wb"):
        try:
            yield True
        finally:
            with suppress(PermissionError):  # Windows keeps a file that is open
                place.unlink(missing_ok=True)


@contextmanager
def _locked_journal(path: Path):
    """The journal beside `path`, open for one process at a time, and gone afterwards."""
    place = _journal(path)
    with os.fdopen(_locked(place, wait=True, alone=True), "wb") as file:
        file.truncate()
        try:
            yield file
        finally:
            with suppress(PermissionError):  # Windows keeps a file that is open
                place.unlink(missing_ok=True)


def _locked(place: Path, *, wait: bool, alone: bool) -> int | None:
    """The file at `place`, open for this process alone; None where another one has it.

    alone: refuse a file that has other names, as what is written to it would appear there.
    """
    how = 0 if fcntl is None else fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
    while True:
        handle = os.open(place, OPEN_NEW, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(handle, how)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            return handle  # this file system knows no locks
        except BaseException:  # interrupted while waiting
            os.close(handle)
            raise
        if fcntl is None or _is_at(handle, place, alone=alone):
            return handle
        os.close(handle)


class _Part:
    """A file that is being written beside its place, locked: no other process takes it over."""

    def __init__(self, path: Path):
        self.path, self.temporary, self.file = path, None, None
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file, self.temporary = _open_temporary(path)

    def fill(self, write) -> None:
        with _explained(self.path):
            write(self.file)
            self.file.flush()
            os.fsync(self.file.fileno())

    def move(self, path: Path) -> None:
        """Into its place, while the lock is held."""
        with _explained(path):
            if fcntl is None:
                self.file.close()
            os.replace(self.temporary, path)
            self.temporary = None

    def close(self) -> None:
        if self.temporary is not None:
            self.temporary.unlink(missing_ok=True)
        with suppress(OSError):  # a full disk; what it holds is not wanted any more
            self.file.close()


@contextmanager
def _explained(path: Path):
    """Say of an `OSError` which file could not be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if reason.startswith("cannot write"):
            raise
        remedy = "free some space or choose another path"
        raise OSError(error.errno, f"cannot write {path} ({reason}): {remedy}") from error


def _open_temporary(path: Path):
    """A binary file beside `path` for this process alone; what a killed one left is used again."""
    name = path.name
    if len(os.fsencode(name)) > 200:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    for number in range(MOST_WRITERS if fcntl else 0):
        temporary = path.with_name(f".{name}.{number}.part")
        handle = os.open(temporary, OPEN_NEW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, temporary):
                os.ftruncate(handle, 0)
                return os.fdopen(handle, "wb"), temporary
        except BlockingIOError:
            pass  # another process is writing to it
        except OSError:  # this file system knows no locks
            os.close(handle)
            temporary.unlink()
            break
        os.close(handle)
    temporary = path.with_name(f".{name}.{secrets.token_hex(4)}.part")
    return os.fdopen(os.open(temporary, OPEN_NEW | os.O_EXCL, 0o666), "wb"), temporary


def _is_at(handle: int, path: Path, *, alone: bool = True) -> bool:
    """Whether an open file is still that at `path`, and `alone`: under this name only."""
    own = os.fstat(handle)
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    return (own.st_nlink == 1 or not alone) and (own.st_dev, own.st_ino) == (
        there.st_dev,
        there.st_ino,
    )


def _free_names(paths: list[Path]) -> list[Path]:
    """The paths, or all of them with one number before their suffixes where some are taken."""
    number, chosen = 0, paths
    while any(os.path.lexists(path) for path in chosen):
        number += 1
        chosen = [_numbered(path, number) for path in paths]
    return chosen


def _numbered(path: Path, number: int) -> Path:
    stem, dot, suffixes = path.name.partition(".")
    return path.with_name(f"{stem}-{number}{dot}{suffixes}")


def _journal(path: Path) -> Path:
    return path.parent / f".{path.name[:200]}.publishing"


def recover(paths: list[Path]) -> list[Path]:
    """Finish what a killed `publish` of these paths began: its complete files go to their places.

    Returns those that were moved.  Nothing beside `paths` is touched, whatever a journal says.
    """
    place = _journal(paths[0])
    journal = _taken(place)
    if journal is None:
        return []
    moved = []
    with journal:
        try:
            named = dict(json.loads(journal.read()))
        except (ValueError, TypeError):
            named = {}  # it ended before anything was moved
        for path in paths:
            name = str(named.get(path.name))
            part = _taken(path.with_name(name)) if PART.fullmatch(name) else None
            if part is not None:
                with part:
                    os.replace(path.with_name(name), path)
                moved.append(path)
        place.unlink(missing_ok=True)
    return moved


def _taken(path: Path):
    """A file open to read, if it is there and no other process works on it; else None."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        pass  # this file system knows no locks
    return os.fdopen(handle, "rb")


def printable(value):
    """Text, or any text in dictionaries and lists, with control characters as escapes.

    Files of strangers name things; a terminal obeys escape sequences, and a line break forges a
    line.
    """
    if isinstance(value, dict):
        return {printable(name): printable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [printable(entry) for entry in value]
    if not isinstance(value, str):
        return value
    return "".join(each if each.isprintable() else _escaped(each) for each in value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
