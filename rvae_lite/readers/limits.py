"""What a user's file may ask for, in memory, and how its defects and names are told.

A file may unfold to at most 4 times its own size or 0.5 GiB, whichever is more, unless `memory`,
in GiB, allows more.  The size is read from the file's own header and compared before anything is
unfolded; a folder counts as one file.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rvae_lite.arrays import is_number
from rvae_lite.publishing import printable

GIB = 2**30
FREE = GIB // 2  # bytes that any file may unfold to
GROWTH = 4  # and how many times its own size


def shown(name) -> str:
    """A name from a file or disk on one line: control and undecodable characters escaped."""
    return printable(str(name))


class Unsuitable(ValueError):
    """A sound file that cannot be taken as it is; the text goes on after the file's name."""


@contextmanager
def explained(path, kind: str) -> Iterator[None]:
    """Say in one sentence why a file could not be read in a `with` block, as what kind of file.

    Raises:
        PermissionError: it may not be read.
        ValueError: anything else.
    """
    try:
        yield
    except PermissionError as error:
        message = f"{shown(path)} may not be read: change its permissions"
        raise PermissionError(error.errno, message) from error
    except Unsuitable as error:
        raise ValueError(f"{shown(path)} {shown(error)}") from None
    except Exception as error:  # readers of every kind have errors of their own
        reason = shown(" ".join(str(error).split())[:200]) or type(error).__name__
        wrong = f"{shown(path)} cannot be read as {kind} ({reason})"
        raise ValueError(f"{wrong}: get a fresh copy of it") from error


def choice(names: list[str], key: str | None) -> Unsuitable:
    """The refusal of a file of several arrays, or of none by the name `key`."""
    there = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    asked = f"no array {key!r}" if key is not None else f"{len(names)} arrays"
    return Unsuitable(f"holds {asked}: choose one by key, of {there or 'none'}")


def limit_of(size: int, memory: float | None = None) -> int:
    """Bytes that files of `size` bytes together may unfold to.  memory: GiB that are allowed.

    Raises:
        ValueError: `memory` is no positive number.
    """
    if memory is not None and not (is_number(memory) and math.isfinite(memory) and memory > 0):
        raise ValueError(f"memory must be a positive number of GiB, not {memory!r}")
    return max(FREE, GROWTH * size, int(float(memory or 0) * GIB))


def check_memory(size: int, limit: int, *, taken: int = 0) -> None:
    """Refuse to unfold a file to `size` bytes beside those `taken`.  Raises Unsuitable."""
    total = size + taken
    if total > limit:
        found = "with all before it " * bool(taken) + f"unfolds to {total / GIB:.3g} GiB"
        remedy = f"pass memory={math.ceil(10 * total / GIB) / 10:g} if you trust it"
        raise Unsuitable(f"{found}, the limit is {limit / GIB:.3g} GiB: {remedy}")
