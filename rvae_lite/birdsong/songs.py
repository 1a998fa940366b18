"""Which annotation belongs to which recording of a bird."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import Annotations, read_annotations

AUDIO = (".wav", ".cbin", ".flac")
TABLES = (".csv", ".tsv")
BESIDE = (
    "{stem}.csv",
    "{stem}.tsv",
    "{name}.csv",
    "{name}.not.mat",
    "{stem}.txt",
    "{stem}.TextGrid",
)


class Song(NamedTuple):
    """A recording with its annotation.

    bird: its name.
    audio: file of the recording.
    name: the same, relative to the bird's folder, with forward slashes.
    annotations: the syllables in it.
    source: file of the annotation.
    """

    bird: str
    audio: Path
    name: str
    annotations: Annotations
    source: Path


class Problem(NamedTuple):
    """What is wrong: a few words, a sentence with file and row, and how many syllables it costs."""

    reason: str
    text: str
    count: int = 1


def find_songs(
    bird: str, source, *, columns: dict | None = None
) -> tuple[list[Song], list[Problem]]:
    """The annotated recordings of one bird.

    Args:
        bird: its name.
        source: a folder, searched with its subfolders, or a list of (recording, annotation), the latter a file or
            Annotations.  In a folder, a table with a column of file names (.csv, .tsv) is preferred to what lies
            beside a recording: song.csv, song.tsv, song.wav.csv, song.wav.not.mat, song.txt, song.TextGrid.
        columns: names of unusual columns in tables, as for `read_annotations`.

    Returns:
        The songs, sorted by name in a folder, and what is wrong: recordings without annotation and the reverse.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a folder without recordings, or a list that holds no pairs or one recording twice.
    """
    if not isinstance(source, (str, Path)):
        return _listed(bird, source, columns)
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} with songs of {bird}: check the path")
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    recordings = [path for path in files if path.suffix.lower() in AUDIO]
    if not recordings:
        raise ValueError(
            f"{folder} holds no recordings of {bird} ({', '.join(AUDIO)}): check the path"
        )
    found, problems, unread = _from_tables(files, recordings, columns)
    problems += _from_files_beside(found, files, recordings)
    missing = [path for path in recordings if path not in found]
    # A table that cannot be read is somebody's notes, unless something is missing.
    problems += unread if missing else []
    text = "{} has no annotation: put a table beside it, or move it elsewhere"
    problems += [Problem("recording without annotation", text.format(path)) for path in missing]
    songs = [
        Song(bird, path, path.relative_to(folder).as_posix(), *found[path])
        for path in sorted(found)
    ]
    return songs, problems


def _from_tables(files: list, recordings: list, columns: dict | None) -> tuple[dict, list, list]:
    """recording -> (its rows, file) from the .csv and .tsv files, what is wrong, and which could not be read."""
    beside = {path: audio for audio in recordings for path in _beside(audio)}
    found, alone, problems, unread = {}, {}, [], []
    for path in (path for path in files if path.suffix.lower() in TABLES):
        try:
            table = read_annotations(path, columns=columns)
        except ValueError as error:
            unread.append(Problem("unreadable annotation", str(error)))
            continue
        if (table.files != "").any():
            problems += _share_out(table, path, recordings, found)
        elif path in beside:
            alone.setdefault(beside[path], (table, path))
        elif len(table.rows):
            text = f"{path} belongs to no recording: name it as the recording, or add a column of file names"
            problems.append(Problem("annotation without recording", text, len(table.rows)))
    return alone | found, problems, unread


def _share_out(table: Annotations, path: Path, recordings: list, found: dict) -> list[Problem]:
    """Give each recording its rows of a table; returns what is wrong."""
    problems = []
    for name in np.unique(table.files).tolist():
        rows = table.take(table.files == name)
        matches = [
            audio for audio in recordings if audio.name == name and path.parent in audio.parents
        ]
        matches = [audio for audio in matches if audio.parent == path.parent] or matches
        where = f"{path}, row {rows.rows[0]}"
        if not matches:
            text = f"{where}: there is no recording {name!r} in {path.parent}; add it, or drop its rows"
            problems.append(Problem("annotation without recording", text, len(rows.rows)))
        elif len(matches) > 1:
            text = f"{where}: {name!r} may be {matches[0]} or {matches[1]}; put a table into each folder"
            problems.append(Problem("annotation of several recordings", text, len(rows.rows)))
        elif matches[0] in found:
            text = f"{where}: {name!r} is also in {found[matches[0]][1]}; keep one of the tables"
            problems.append(Problem("recording in several tables", text, len(rows.rows)))
        else:
            found[matches[0]] = (rows, path)
    return problems


def _from_files_beside(found: dict, files: list, recordings: list) -> list[Problem]:
    """Add what lies beside recordings that no table has; returns what is wrong."""
    there, problems = set(files), []
    for audio in recordings:
        path = next(
            (
                path
                for path in _beside(audio)
                if path in there and path.suffix.lower() not in TABLES
            ),
            None,
        )
        if audio in found or path is None:
            continue
        try:
            found[audio] = (read_annotations(path), path)
        except ValueError as error:
            problems.append(Problem("unreadable annotation", str(error)))
    known = {audio.name + ".not.mat" for audio in recordings}
    for path in (
        path for path in files if path.name.endswith(".not.mat") and path.name not in known
    ):
        text = f"{path} belongs to no recording: add the recording, or drop the file"
        problems.append(Problem("annotation without recording", text))
    return problems


def _beside(audio: Path) -> list[Path]:
    """Where the annotation of one recording may lie."""
    return [audio.with_name(pattern.format(stem=audio.stem, name=audio.name)) for pattern in BESIDE]


def _listed(bird: str, pairs, columns: dict | None) -> tuple[list[Song], list[Problem]]:
    pairs = list(pairs)
    if not pairs or any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"songs of {bird} must be a folder or a list of (recording, annotation): pass one of them"
        )
    recordings = [Path(audio) for audio, _ in pairs]
    twice = [path for i, path in enumerate(recordings) if path in recordings[:i]]
    if twice:
        raise ValueError(f"{twice[0]} is listed twice for {bird}: join its annotations into one")
    folder = Path(os.path.commonpath([path.absolute().parent for path in recordings]))
    songs, problems = [], []
    for audio, (_, annotation) in zip(recordings, pairs, strict=True):
        name = audio.absolute().relative_to(folder).as_posix()
        given = isinstance(annotation, Annotations)
        source = audio if given else Path(annotation)
        try:
            rows = (
                annotation
                if given
                else read_annotations(source, columns=_columns_for(source, columns))
            )
        except (ValueError, FileNotFoundError) as error:
            problems.append(Problem("unreadable annotation", str(error)))
            continue
        own = rows.take((rows.files == audio.name) | (rows.files == ""))
        if len(rows.rows) and not len(own.rows):
            text = f"{source} has no row for {audio}, but for {rows.files[0]}: correct the list or the names"
            problems.append(Problem("recording without annotation", text))
            continue
        songs.append(Song(bird, audio, name, own, source))
    return songs, problems


def _columns_for(path: Path, columns: dict | None) -> dict | None:
    return columns if path.suffix.lower() in (*TABLES, ".txt") else None
