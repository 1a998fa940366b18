"""Which annotation belongs to which recording of a bird."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import TABLES, Annotations, Problem, read_annotations

AUDIO = (".wav", ".cbin", ".flac")
# Tables may hold the syllables of many recordings, in a column of file names.
SHARED = (".csv", ".tsv")
# What may lie beside a recording, the preferred first.
BESIDE = "{stem}.csv {stem}.tsv {name}.csv {name}.not.mat {stem}.txt {stem}.TextGrid"


class Song(NamedTuple):
    """A recording with its annotation.

    `audio` is its file, `name` the same below the bird's folder, `source` the annotation's file.
    """

    bird: str
    audio: Path
    name: str
    annotations: Annotations
    source: Path


def find_songs(
    bird: str, source, *, columns: dict | None = None
) -> tuple[list[Song], list[Problem]]:
    """The annotated recordings of one bird.

    Args:
        bird: its name.
        source: a folder, searched with its subfolders but not hidden ones, or a list of
            (recording, annotation), the latter a file or Annotations.  In a folder, a table with a
            column of file names (.csv, .tsv) is preferred to what lies beside a recording:
            song.csv, song.tsv, song.wav.csv, song.wav.not.mat, song.txt, song.TextGrid.
        columns: names of unusual columns in tables, as for `read_annotations`.

    Returns:
        The songs, sorted by name in a folder, and what is wrong.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a folder without recordings, no list of pairs, or one recording twice.
    """
    if not isinstance(source, (str, Path)):
        return _listed(bird, source, columns)
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} with songs of {bird}: check the path")
    files = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            files.append(path)
    recordings = [path for path in files if path.suffix.lower() in AUDIO]
    if not recordings:
        known = ", ".join(AUDIO)
        raise ValueError(f"{folder} holds no recordings of {bird} ({known}): check the path")
    problems, unread = [], []
    found = _from_tables(files, recordings, columns, problems, unread)
    _add_files_beside(found, files, recordings, columns, problems)
    missing = [path for path in recordings if path not in found]
    if missing:  # else a table that cannot be read is somebody's notes
        problems += unread
    for path in missing:
        text = f"{path} has no annotation: put a table beside it, or move it elsewhere"
        problems.append(Problem("recording without annotation", text))
    names = {path: path.relative_to(folder).as_posix() for path in sorted(found)}
    return [Song(bird, path, name, *found[path]) for path, name in names.items()], problems


def _read(path: Path, columns: dict | None, problems: list) -> Annotations | None:
    """The annotations of a file, or None and one problem more."""
    try:
        return read_annotations(path, columns=columns if path.suffix.lower() in TABLES else None)
    except (ValueError, FileNotFoundError) as error:
        problems.append(Problem("unreadable annotation", str(error)))


def _beside(audio: Path) -> list[Path]:
    """Where the annotation of one recording may lie."""
    names = [pattern.format(stem=audio.stem, name=audio.name) for pattern in BESIDE.split()]
    return [audio.with_name(name) for name in names]


def _from_tables(files, recordings, columns, problems: list, unread: list) -> dict:
    """Recording -> (its rows, file) from the tables, .csv and .tsv."""
    owner = {path: audio for audio in recordings for path in _beside(audio)}
    found, alone = {}, {}
    for path in files:
        if path.suffix.lower() not in SHARED:
            continue
        table = _read(path, columns, unread)
        if table is None:
            continue
        if (table.files != "").any():
            for name in np.unique(table.files).tolist():
                rows = table.take(table.files == name)
                _give(rows, path, name, recordings, found, problems)
        elif path in owner:
            alone.setdefault(owner[path], (table, path))
        elif len(table.rows):
            remedy = "name it as the recording, or add a column of file names"
            text = f"{path} belongs to no recording: {remedy}"
            problems.append(Problem("annotation without recording", text, len(table.rows)))
    return alone | found


def _give(rows: Annotations, path: Path, name: str, recordings, found: dict, problems: list):
    """Add some rows of a table to `found`, for the one recording of this name."""
    below = [audio for audio in recordings if audio.name == name and path.parent in audio.parents]
    matches = [audio for audio in below if audio.parent == path.parent] or below
    if len(matches) == 1 and matches[0] not in found:
        found[matches[0]] = (rows, path)
        return
    if not matches:
        reason = "annotation without recording"
        text = f"there is no recording {name!r} in {path.parent}; add it, or drop its rows"
    elif len(matches) > 1:
        reason = "annotation of several recordings"
        text = f"{name!r} may be {matches[0]} or {matches[1]}; put a table into each folder"
    else:
        reason = "recording in several tables"
        text = f"{name!r} is also in {found[matches[0]][1]}; keep one of the tables"
    problems.append(Problem(reason, f"{path}, row {rows.rows[0]}: {text}", len(rows.rows)))


def _add_files_beside(found: dict, files, recordings, columns, problems: list) -> None:
    """Add to `found` what lies beside recordings that no table has."""
    others = {path for path in files if path.suffix.lower() not in SHARED}
    for audio in recordings:
        beside = [path for path in _beside(audio) if path in others]
        if audio not in found and beside:
            rows = _read(beside[0], columns, problems)
            if rows is not None:
                found[audio] = (rows, beside[0])
    known = {audio.name + ".not.mat" for audio in recordings}
    for path in files:
        if path.name.endswith(".not.mat") and path.name not in known:
            text = f"{path} belongs to no recording: add the recording, or drop the file"
            problems.append(Problem("annotation without recording", text))


def _listed(bird: str, pairs, columns: dict | None) -> tuple[list[Song], list[Problem]]:
    """The songs of a list of (recording, annotation)."""
    pairs = list(pairs)
    if not pairs or any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        needed = "a folder or a list of (recording, annotation)"
        raise ValueError(f"songs of {bird} must be {needed}: pass one of them")
    recordings = [Path(audio) for audio, _ in pairs]
    for i, path in enumerate(recordings):
        if path in recordings[:i]:
            raise ValueError(f"{path} is listed twice for {bird}: join its annotations into one")
    folder = Path(os.path.commonpath([path.absolute().parent for path in recordings]))
    songs, problems = [], []
    for audio, (_, annotation) in zip(recordings, pairs, strict=True):
        source, rows = audio, annotation
        if not isinstance(annotation, Annotations):
            source = Path(annotation)
            rows = _read(source, columns, problems)
        if rows is None:
            continue
        own = rows.take((rows.files == audio.name) | (rows.files == ""))
        if len(own.rows) or not len(rows.rows):
            name = audio.absolute().relative_to(folder).as_posix()
            songs.append(Song(bird, audio, name, own, source))
        else:
            wrong = f"has no row for {audio}, but for {rows.files[0]}"
            text = f"{source} {wrong}: correct the list or the names"
            problems.append(Problem("recording without annotation", text))
    return songs, problems
