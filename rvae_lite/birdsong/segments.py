"""A table of segments of many recordings, and perhaps of several animals, wherever the sound is."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import Annotations, Problem, read_annotations
from rvae_lite.birdsong.columns import composed
from rvae_lite.birdsong.songs import AUDIO, Song
from rvae_lite.publishing import printable
from rvae_lite.readers.cells import read_cells

# How tables call the column of the animal, in lower case.
ANIMALS = "bird birds bird_id animal animals animal_id individual individual_id subject subject_id"


class Segments(NamedTuple):
    """Segments of one animal: the table's file, its rows, and the folder with the recordings."""

    table: Path
    rows: Annotations
    folder: Path


def read_segments(
    table, *, bird: str | None = None, folder=None, columns: dict | None = None
) -> dict[str, Segments]:
    """The segments of a table by the name of the animal, for `load_birds`.

    Args:
        table: .csv or .tsv with onset, offset and file of each segment, and perhaps its label and
            animal; folders before the name of a file are left out of account.
        bird: whose all segments are; by default what a column such as bird or animal says, or
            without one the table's name.
        folder: with the recordings, or with folders of them; by default the table's.
        columns: names of unusual columns, as for `read_annotations`, and {"bird": NAME}.

    Raises:
        FileNotFoundError: there is no such table or folder.
        ValueError: as for `read_annotations`; no column of files, an animal without a name.
    """
    table, columns = Path(table), dict(columns or {})
    named = columns.pop("bird", None)
    rows = read_annotations(table, columns=columns or None)
    if not len(rows.rows) or (rows.files == "").any():
        remedy = 'add a column "file" that names the recording of each segment'
        raise ValueError(f"{table} has segments of no recording: {remedy}")
    folder = table.parent if folder is None else Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} with recordings: check the path")
    animals = np.full(len(rows.rows), bird or composed(table.stem))
    if bird is None:
        animals = _animals(table, rows, named, animals)
    return {
        str(name): Segments(table, rows.take(animals == name), folder)
        for name in np.unique(animals)
    }


def _column(table: Path, names: list[str], named: str | None) -> int | None:
    """Where a table with columns of these names has the animal, if it does."""
    if named is not None and named not in names:
        there = ", ".join(map(repr, names[:12]))
        raise ValueError(f"{table} has no column {named!r} for the bird, but {there}: correct it")
    known = ANIMALS.split() if named is None else [named]
    places = [place for place, name in enumerate(names) if name in known or name.lower() in known]
    if len(places) > 1:
        both = " and ".join(repr(names[place]) for place in places)
        raise ValueError(f'{table} has several columns for the bird, {both}: name one as "bird"')
    return places[0] if places else None


def _animals(table: Path, rows: Annotations, named: str | None, default) -> np.ndarray:
    """The animal of each segment, (n,) text, by default `default`."""
    (_, names), *lines = read_cells(table).rows
    place = _column(table, [composed(name).strip() for name in names], named)
    if place is None:
        return default
    cells = {line: composed(row[place]).strip() for line, row in lines}
    found = [cells[row] for row in rows.rows.tolist()]
    if "" in found:
        row = rows.rows[found.index("")]
        raise ValueError(f"{table}, row {row}: the bird has no name: write it into the cell")
    return np.array(found, np.str_)


def songs_of_segments(bird: str, segments: Segments) -> tuple[list[Song], list[Problem]]:
    """The recordings of one animal with their segments, sorted by name, and what is wrong."""
    table, rows, folder = segments
    places = {}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in AUDIO and path.is_file() and not hidden:
            places.setdefault(composed(path.name), []).append(path)
    songs, problems = [], []
    for name in np.unique(rows.files).tolist():
        own = rows.take(rows.files == name)
        where, found = f"{table}, row {own.rows[0]}", places.get(name, [])
        if len(found) == 1:
            place = composed(found[0].relative_to(folder).as_posix())
            songs.append(Song(bird, found[0], place, own, table))
            continue
        reason, text = "annotation without recording", f"there is no recording in {folder} called"
        remedy = "add it, or drop its rows"
        if found:
            reason = "annotation of several recordings"
            text, remedy = f"{found[0]} and {found[1]} are both called", "rename one of them"
        text = f"{where}: {text} {printable(name)}: {remedy}"
        problems.append(Problem(reason, text, len(own.rows)))
    return songs, problems
