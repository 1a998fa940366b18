"""Run a study: all its units, one after another or on workers, then the table."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from rvae_lite.publishing import write_atomically
from rvae_lite.studies.study import results_folder
from rvae_lite.studies.units import Unit, as_text, measure, own_version, rows_of, say, units_of


def run_study(
    name: str,
    profile: str,
    *,
    out=None,
    only: str | None = None,
    progress: bool = True,
    workers: int | None = None,
    scheduler: str | None = None,
):
    """Run the units of a study that are not finished yet, then write the whole table.

    Args:
        name: of a study, as in `study_files`.
        profile: "quick" (minutes), "cpu" (a night on two cores) or "paper" (meant for a GPU).
        out: folder for the units and the table; by default results/.
        only: run just the units whose name contains this, and write no table.
        progress: show how many units are finished, with the time left.
        workers: run so many units at once, in processes of this machine; see `cluster`.
        scheduler: address of a Dask scheduler whose workers run the units.

    Returns:
        The table, a pandas DataFrame, or None with `only`.

    Raises:
        FileNotFoundError: the data of all units are missing; those of some are left out and told.
        ValueError: an unknown name or profile, workers that do not fit this command, or units that
            failed on workers; they are named, and all others are kept.
        ImportError: Dask is not installed.
        OSError: no scheduler answers, or a file cannot be written.
    """
    from tqdm import tqdm

    folder = results_folder() if out is None else Path(out)
    units, tables = units_of(name, profile, folder=folder, only=only), {}
    if workers is None and scheduler is None:
        finished = _one_by_one(units)
    else:
        from rvae_lite.studies.cluster import spread

        finished = spread(units, workers=workers, scheduler=scheduler)
    options, missing = dict(desc=f"{name}, {profile}", unit="unit", disable=not progress), ""
    try:
        with contextlib.closing(finished):
            for unit, found in tqdm(finished, total=len(units), **options):
                if isinstance(found, FileNotFoundError):
                    missing = f"{unit.name} is left out: {found}"
                    say(missing)
                else:
                    tables[unit.name] = rows_of(unit, found)
    except KeyboardInterrupt:
        stopped = f"stopped with {len(tables)} of {len(units)} units finished"
        print(f"{stopped}: the same command goes on from there", file=sys.stderr)
        raise
    if not tables:
        raise FileNotFoundError(missing)
    if only is not None:
        return None
    ordered = [tables[unit.name] for unit in units if unit.name in tables]
    return _write_table(ordered, folder, units[0])


def _one_by_one(units: Sequence[Unit]) -> Iterator[tuple[Unit, str | FileNotFoundError]]:
    """Each unit and its text, or which data it lacks, measured here.

    Those that other processes have in hand come last.
    """
    others = []
    for unit in units:
        found = _measured(unit)
        if found is None:
            others.append(unit)
        else:
            yield unit, found
    for unit in others:
        say(f"another command is measuring {unit.name}: waiting for it")
        yield unit, _measured(unit, wait=True)


def _measured(unit: Unit, *, wait: bool = False) -> str | FileNotFoundError | None:
    """As `measure`, but data that are missing are told, not raised."""
    try:
        return measure(unit, wait=wait)
    except FileNotFoundError as error:
        return error


def _write_table(tables: list, folder: Path, unit: Unit):
    """Write the units' rows as one table; say where they are of several versions."""
    import pandas as pd

    table, version = pd.concat(tables, ignore_index=True), own_version()
    others = sorted({*table.commit.fillna("unknown")} - {version})
    if others:
        text = f"some units are of version {', '.join(others)}, this is {version}"
        warnings.warn(f"{text}: delete them in {unit.folder} to run them again", stacklevel=3)
    path = folder / f"{unit.study}.csv"
    write_atomically(path, lambda file: file.write(as_text(table).encode()))
    return table
