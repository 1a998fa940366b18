"""The folder where data sets lie, the files in it, and what to say when they cannot be used."""

import hashlib
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
        raise NotADirectoryError(
            error.errno, f"{root} is not a folder: {another_root()}"
        ) from error
    except PermissionError as error:
        place = error.filename or root
        remedy = f"change its permissions, or {another_root()}"
        raise PermissionError(
            error.errno, f"the data in {place} cannot be used ({error.strerror}): {remedy}"
        ) from error


def another_root() -> str:
    """The remedy, as part of a sentence, where the folder of the data sets is the wrong one."""
    return f"name another folder by root= or {DATA_VARIABLE}"


def require_files(
    name: str,
    title: str,
    folder: Path,
    *,
    page: str,
    files: dict,
    download: bool = False,
    address: str | None = None,
) -> None:
    """Refuse missing files, or download them where all checksums are known.

    Args:
        name, title: of the data set, for `load` and for the reader.
        folder: where the files lie.
        page: where a reader finds them.
        files: name -> checksum as pooch writes it ("md5:..."), None if unknown.
        download: fetch what is missing.
        address: what stands before a file's name in its address, by default `page`.

    Raises:
        FileNotFoundError: files are missing, or could not be downloaded.
    """
    missing = [file for file in files if not (folder / file).exists()]
    if not missing:
        return
    remedy = f"put {' and '.join(missing)} from {page} into {folder}, or {another_root()}"
    known = all(files.values())
    if not (download and known):
        first = f"call load({name!r}, download=True) with a network, or " if known else ""
        raise FileNotFoundError(f"{title} is not in {folder.parent}: {first}{remedy}")
    for file in missing:
        _download(
            (address or page) + file,
            folder / file,
            files[file],
            f"{title} could not be downloaded: {remedy}",
        )


def _download(url: str, path: Path, checksum: str, refusal: str) -> None:
    import pooch

    try:  # pooch puts a file in place only when it is whole and its checksum agrees
        pooch.retrieve(url, checksum, fname=path.name, path=path.parent, progressbar=False)
    except PermissionError:
        raise
    except Exception as error:  # of many kinds where nothing answers
        raise FileNotFoundError(refusal) from error


def verified(path: Path, algorithm: str, known: str) -> bytes:
    """The content of a file whose checksum is known, in hexadecimal digits.

    Raises:
        ValueError: the file has another checksum.
    """
    content = path.read_bytes()
    if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != known:
        raise ValueError(
            f"{damaged(path)} (its {algorithm.upper()} differs): delete it and download it again"
        )
    return content


def damaged(path: Path) -> str:
    """The verdict, as part of a sentence, on a file that holds something else than it should."""
    return f"{path} is damaged or another file"
