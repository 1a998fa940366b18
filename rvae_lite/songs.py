"""Which annotation belongs to which recording in a folder of songs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.annotations import Annotations, read_annotations

AUDIO = (".wav", ".cbin", ".flac")
BESIDE = ("{stem}.csv", "{stem}.tsv", "{name}.csv", "{name}.not.mat", "{stem}.txt", "{stem}.TextGrid")
TABLES = (".csv", ".tsv")


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
    """What is wrong: a word or two, a sentence with file and row, and how many syllables it costs."""

    reason: str
    text: str
    count: int = 1


def find_songs(bird: str, source, *, columns: dict | None = None) -> tuple[list[Song], list[Problem]]:
    """The annotated recordings of one bird.

    Args:
        bird: its name.
        source: a folder, searched with its subfolders, or a list of (recording, annotation).
        columns: names of unusual columns in tables.

    Returns:
        The songs, sorted by name, and what is wrong: recordings without annotation, annotations without recording.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a folder without recordings, or an annotation that cannot be read.
    """
    if not isinstance(source, (str, Path)):
        return _listed(bird, source, columns), []
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} with songs of {bird}: check the path")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    recordings = [path for path in files if path.suffix.lower() in AUDIO]
    if not recordings:
        raise ValueError(f"{folder} holds no recordings of {bird} ({', '.join(AUDIO)}): check the path")
    found, problems = _from_tables(files, recordings, columns)
    for audio in recordings:
        beside = next((path for path in _beside(audio) if path in set(files)), None)
        if audio not in found and beside is not None:
            found[audio] = (read_annotations(beside, columns=_columns_for(beside, columns)), beside)
    text = "{} has no annotation: put a table beside it, or move it elsewhere"
    problems += [Problem("no annotation", text.format(path)) for path in recordings if path not in found]
    songs = [Song(bird, path, path.relative_to(folder).as_posix(), *found[path]) for path in sorted(found)]
    return songs, problems


def _listed(bird, source, columns) -> list[Song]:
    raise NotImplementedError


def _beside(audio: Path) -> list[Path]:
    """Where the annotation of one recording may lie."""
    return [audio.with_name(pattern.format(stem=audio.stem, name=audio.name)) for pattern in BESIDE]


def _columns_for(path: Path, columns: dict | None) -> dict | None:
    return columns if path.suffix in TABLES else None


def _from_tables(files: list, recordings: list, columns: dict | None) -> tuple[dict, list]:
    """recording -> (its rows, table), from tables that name their recordings; and what is wrong with them."""
    own = {path for audio in recordings for path in _beside(audio)}
    found, problems = {}, []
    for path in files:
        if path.suffix not in TABLES or path in own:
            continue
        table = read_annotations(path, columns=columns)
        for name in np.unique(table.files).tolist():
            rows = table.take(table.files == name)
            audio = [audio for audio in recordings if audio.name == name]
            if not audio:
                text = f"{path}, row {rows.rows[0]}: there is no recording {name!r} below {path.parent}"
                problems.append(Problem("no recording", text, len(rows.rows)))
            else:
                found[audio[0]] = (rows, path)
    return found, problems
