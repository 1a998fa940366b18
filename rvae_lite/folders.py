"""The folder where data sets lie, and what to say when it cannot be used."""

import os
from contextlib import contextmanager
from pathlib import Path

DATA_VARIABLE = "RVAE_LITE_DATA"


def data_root(root=None) -> Path:
    """The folder of the data sets: the argument, else the variable RVAE_LITE_DATA, else a user cache."""
    import pooch

    return Path(root or os.environ.get(DATA_VARIABLE) or pooch.os_cache("rvae_lite"))


@contextmanager
def permission_explained(root: Path):
    """Say what to do where a folder or file may not be read or written."""
    try:
        if root.exists():
            os.scandir(root).close()
        yield
    except NotADirectoryError as error:
        raise NotADirectoryError(error.errno, f"{root} is not a folder: {another_root()}") from error
    except PermissionError as error:
        place = error.filename or root
        remedy = f"change its permissions, or {another_root()}"
        raise PermissionError(
            error.errno, f"the data in {place} cannot be used ({error.strerror}): {remedy}"
        ) from error


def another_root() -> str:
    """The remedy, as part of a sentence, where the folder of the data sets is the wrong one."""
    return f"name another folder by root= or {DATA_VARIABLE}"
