"""The table of data sets, the folders in which their files lie, and refusals where they do not.

The table is sources.yml.  A checksum is written as pooch writes it, "md5:..." or "sha256:...".
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rvae_lite.publishing import expanded, printable

DATA_VARIABLE = "RVAE_LITE_DATA"


@cache
def sources() -> dict[str, dict]:
    """The table sources.yml: what is known of each data set, by its name."""
    import yaml

    return yaml.safe_load(Path(__file__).with_name("sources.yml").read_text(encoding="utf-8"))


def info_of(name: str, **more) -> dict:
    """`Dataset.info` of a data set: name, title, source, licence, and more."""
    return dict(name=name) | sources()[name]["info"] | more


def data_root(root=None) -> Path:
    """The folder of the data sets: the argument, else what RVAE_LITE_DATA names, else a cache.

    A leading ~ is the home folder.
    """
    import pooch

    return expanded(root or os.environ.get(DATA_VARIABLE) or pooch.os_cache("rvae_lite"))


def another_root() -> str:
    """The remedy, as part of a sentence, where the folder of the data sets is the wrong one."""
    return f"name another folder by root= or {DATA_VARIABLE}"


@contextmanager
def permission_explained(root: Path) -> Iterator[None]:
    """Say what to do where a folder or file may not be read or written."""
    try:
        if root.exists():
            os.scandir(root).close()
        yield
    except NotADirectoryError as error:
        message = f"{root} is not a folder: {another_root()}"
        raise NotADirectoryError(error.errno, message) from error
    except PermissionError as error:
        place = f"the data in {error.filename or root} cannot be used ({error.strerror})"
        message = f"{place}: change its permissions, or {another_root()}"
        raise PermissionError(error.errno, message) from error


@contextmanager
def folder_of(name: str, root=None, *, download: bool = False) -> Iterator[Path]:
    """The folder that holds all files of a data set, to be read inside a `with` block."""
    root = data_root(root)
    folders = [root / folder for folder in sources()[name]["folders"]]
    with permission_explained(root):
        whole = (folder for folder in folders if not _missing(name, folder))
        folder = next(whole, folders[-1 if download else 0])
        require_files(name, folder, download=download)
        yield folder


def _missing(name: str, folder: Path) -> list[str]:
    files = sources()[name]["files"]
    return [file for file in files if not (folder / file).exists() and not any(folder.glob(file))]


def require_files(name: str, folder: Path, *, download: bool = False) -> None:
    """Refuse missing files of a data set, or download them if every checksum is known.

    Raises:
        FileNotFoundError: files are missing, or could not be downloaded.
    """
    missing = _missing(name, folder)
    if not missing:
        return
    source, title = sources()[name], sources()[name]["info"]["title"]
    remedy = f"put {', '.join(missing)}, from {source['page']} into {folder}, or {another_root()}"
    known = None not in source["files"].values() and not source.get("by_hand")
    if known:
        remedy = f"call load({name!r}, download=True) with a network, or {remedy}"
    if not (known and download):
        raise FileNotFoundError(f"{title} is not in {folder}: {remedy}")
    for file in missing:
        addresses = [place + file for place in source.get("addresses", [source["page"]])]
        try:
            _fetch(addresses, folder / file, source["files"][file])
        except PermissionError:
            raise
        except Exception as error:  # of many kinds where nothing answers
            raise FileNotFoundError(f"{title} could not be downloaded: {remedy}") from error


def _fetch(addresses: list[str], path: Path, checksum: str) -> None:
    """Download a file from the first address that gives it whole."""
    import pooch

    for address in addresses:
        try:  # pooch puts the file in place when its checksum is verified
            pooch.retrieve(address, checksum, fname=path.name, path=path.parent, progressbar=True)
            return
        except Exception:
            if address == addresses[-1]:
                raise


def verified(name: str, path: Path) -> bytes:
    """The content of a file of a data set; a ValueError if it has another checksum."""
    content = path.read_bytes()
    algorithm, known = sources()[name]["files"][path.name].split(":")
    if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != known:
        reason = f"its {algorithm.upper()} differs"
        way = "get" if sources()[name].get("by_hand") else "download"
        raise damaged(name, path, reason, remedy=f"delete it and {way} it again")
    return content


def damaged(name: str, path: Path, reason, *, remedy: str = "get it again") -> ValueError:
    """The error to raise where a file of a data set does not hold what it should."""
    short = printable(" ".join(str(reason).split())[:200])
    where = sources()[name]["page"]
    return ValueError(f"{path} is damaged or another file ({short}): {remedy} from {where}")
