"""Units of a study: what measures one cell of its grid, and the file that keeps its rows.

A unit's file is written once, signed, and moved into place whole: whatever stops, finished units
stay.  A unit that is being measured is claimed, so that two commands never do it twice.
"""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

from rvae_lite import __version__
from rvae_lite.publishing import claimed, write_atomically
from rvae_lite.studies.study import FOLDER, find_study, read_rows, stamp

MARK = "# sha256 "  # begins the last line of a unit's file


class Unit(NamedTuple):
    """One cell of a study's grid in a profile, and the folder of the study's units."""

    study: str
    profile: str
    name: str
    folder: Path

    @property
    def path(self) -> Path:
        """The file of its rows."""
        return self.folder / f"{self.name}.csv"

    @property
    def log(self) -> Path:
        """What it prints while a worker measures it; gone when it is finished."""
        return self.folder / f"{self.name}.log"


def units_of(name: str, profile: str, *, folder: Path, only: str | None = None) -> list[Unit]:
    """The units of a study in a profile, those whose name contains `only`; kept below `folder`."""
    cells, kept = find_study(name).cells(profile), folder.absolute() / "units" / f"{name}-{profile}"
    chosen = [unit for unit in cells if only is None or only in unit]
    if not chosen:
        raise ValueError(f"no unit's name contains {only!r}: there are {', '.join(cells)}")
    return [Unit(name, profile, unit, kept) for unit in chosen]


def measure(unit: Unit, *, wait: bool = False, logged: bool = False) -> str | None:
    """A unit's signed text: from its file, or measured now.

    Args:
        unit: which one.
        wait: where another process is measuring it, wait for that; else None is returned.
        logged: write what it prints to its log.

    FileNotFoundError: its data are missing; the message says where they belong.
    """
    text = kept_text(unit)
    if text is not None:
        return text
    with claimed(unit.path, wait=wait) as ours:
        text = kept_text(unit)  # which another process may have written by now
        if text is not None or not ours:
            return text
        if unit.path.exists():
            told = f"{unit.path} is damaged, or of another cell or other options: it runs again"
            warnings.warn(f"{told}, and that file stays as {older_path(unit).name}", stacklevel=3)
        study, origin = find_study(unit.study), _origin(unit)
        with _logged(unit.log) if logged else contextlib.nullcontext():
            result = study.run(unit.profile, _cell(unit), keep=unit.folder)
        columns = dict(profile=unit.profile, commit=own_version())
        text = _signed(as_text(stamp(getattr(result, "table", result), **columns)), origin)
        keep(unit, text)
        unit.log.unlink(missing_ok=True)
        return text


def keep(unit: Unit, text: str) -> None:
    """Write a unit's signed text to its file; what was there is no such text, and stays."""
    if unit.path.exists():
        os.replace(unit.path, older_path(unit))
    write_atomically(unit.path, lambda file: file.write(text.encode()))


def older_path(unit: Unit) -> Path:
    """Where a file goes that stood in the unit's place."""
    return unit.path.with_suffix(".older.csv")


def kept_text(unit: Unit) -> str | None:
    """The signed text of a finished unit, if its file is whole and of this cell; else None."""
    if not unit.path.is_file():
        return None
    signed = unit.path.read_bytes().decode("utf-8", "replace")
    text, mark, _ = signed.rpartition(MARK)
    return signed if mark and _signed(text, _origin(unit)) == signed else None


def rows_of(unit: Unit, signed: str):
    """A unit's rows in its signed text, a pandas DataFrame."""
    try:
        return read_rows(io.StringIO(signed.rpartition(MARK)[0]))
    except ValueError as error:  # signed, but not by a study
        again = "delete it, and the unit runs again"
        raise ValueError(f"{unit.path} holds no table: {again}") from error


def _cell(unit: Unit) -> tuple:
    return find_study(unit.study).cells(unit.profile)[unit.name]


def _origin(unit: Unit) -> str:
    """What a unit's rows come from: its options and its cell."""
    options = find_study(unit.study).profiles[unit.profile]
    return repr([unit.study, unit.profile, options, _cell(unit)])


def _signed(text: str, origin: str) -> str:
    """A text and its last line, by which a cut, altered or foreign file is known."""
    return f"{text}{MARK}{hashlib.sha256((origin + text).encode()).hexdigest()}\n"


@contextlib.contextmanager
def _logged(path: Path):
    """What is printed in the block goes to a file."""
    with (
        path.open("w", encoding="utf-8", errors="backslashreplace") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield


def as_text(table) -> str:
    """A table as its file holds it."""
    return table.to_csv(index=False, float_format="%.7g", lineterminator="\n")


def own_version() -> str:
    """The commit of the package's own repository, or the release of a package without one."""
    home = FOLDER.parents[1]
    if not (home / ".git").exists():  # what git finds further up is another's
        return __version__
    command = ["git", "-C", str(home), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__


def say(text: str) -> None:
    """Print a line beside a progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
