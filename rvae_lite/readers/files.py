"""Bytes of a regular file, or one sentence that names the path and says why not."""

import stat
from pathlib import Path


def size_of(path, kind: str) -> int:
    """Bytes of the regular file at `path`; `kind`, such as "table", is for the sentences.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: a folder, a device, a pipe or a socket, also at the end of a link.
        PermissionError: its folder may not be searched.
    """
    path = Path(path)
    try:
        status = path.stat()
    except PermissionError as error:
        raise _forbidden(path, error) from error
    except (OSError, ValueError) as error:  # no such file, a circle of links, a name too long
        raise FileNotFoundError(f"there is no {kind} at {path}: check the path") from error
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"{path} is a folder, not a file: name the {kind} itself")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is no regular file: copy its content into one")
    return status.st_size


def opened(path, kind: str):
    """The regular file at `path`, open for reading bytes.

    Raises:
        FileNotFoundError, ValueError: as for `size_of`.
        PermissionError: it may not be read.
    """
    size_of(path, kind)
    try:
        return Path(path).open("rb")
    except PermissionError as error:
        raise _forbidden(path, error) from error


def content_of(path, kind: str, *, limit: int) -> bytes:
    """All of a regular file of at most `limit` bytes.

    Raises:
        FileNotFoundError, PermissionError: as for `opened`.
        ValueError: no regular file, or a larger one.
    """
    if (size := size_of(path, kind)) > limit:
        held = f"{size / 2**20:.6g} MiB, more than the limit of {limit / 2**20:.6g} MiB"
        raise ValueError(f"{path} has {held}: split it")
    with opened(path, kind) as file:
        return file.read(size)


def _forbidden(path, error: OSError) -> PermissionError:
    return PermissionError(error.errno, f"{path} may not be read: change its permissions")
