"""Which annotation belongs to which recording of a bird."""

import errno
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import (
    TABLES,
    Annotations,
    Problem,
    checked,
    read_annotations,
)
from rvae_lite.birdsong.columns import composed
from rvae_lite.publishing import printable

AUDIO = (".wav", ".cbin", ".flac")
# Tables may hold the syllables of many recordings, in a column of file names.
SHARED = (".csv", ".tsv")
# Endings of what lies beside a recording, the preferred first; {name} has the suffix of the sound.
BESIDE = "{stem}.csv {stem}.tsv {name}.csv {name}.not.mat {stem}.txt {stem}.textgrid "
BESIDE += "{stem}.table.n.selections.txt {stem}.selections.txt"
ENDING = re.compile(
    r"(\.table\.\d+\.selections|\.selections|\.not)?\.(csv|tsv|mat|txt|textgrid)$", re.I
)


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
            song.csv, song.tsv, song.wav.csv, song.wav.not.mat, song.txt, song.TextGrid,
            song.Table.1.selections.txt, song.selections.txt.
        columns: names of unusual columns in tables, as for `read_annotations`.

    Returns:
        The songs, sorted by name in a folder, and what is wrong.  Names are in one Unicode form.

    Raises:
        FileNotFoundError: there is no such folder.
        PermissionError: it may not be read.
        ValueError: a folder without recordings, no list of pairs, or one recording twice.
    """
    if not isinstance(source, (str, Path)):
        return _listed(bird, source, columns)
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} with songs of {bird}: check the path")
    problems, unread = [], []
    files = _walk(folder, problems)
    sounds = [path for path in files if path.suffix.lower() in AUDIO]
    if not sounds and problems:
        raise PermissionError(errno.EACCES, problems[0].text)
    if not sounds:
        known = ", ".join(AUDIO)
        raise ValueError(f"{folder} holds no recordings of {bird} ({known}): check the path")
    recordings = _without_copies(sounds, problems)
    beside = _beside(recordings, files)
    found = _from_tables(files, recordings, beside, columns, problems, unread)
    _add_files_beside(found, beside, columns, problems)
    problems += _strays(files, sounds)
    missing = [path for path in recordings if path not in found]
    if missing:  # else a table that cannot be read is somebody's notes
        problems += unread
    near = _by_bare_name([path for path in files if ENDING.search(path.name)])
    for path in missing:
        remedy = "put a table beside it, or move it elsewhere"
        other = near.get(_bare(path.name))
        if other and other not in beside[path]:
            remedy = f"is it {other.name!r}? Give both one name"
        text = f"{path} has no annotation: {remedy}"
        problems.append(Problem("recording without annotation", text))
    names = {path: path.relative_to(folder).as_posix() for path in sorted(found)}
    songs = [Song(bird, path, composed(name), *found[path]) for path, name in names.items()]
    return songs, problems


def _walk(folder: Path, problems: list) -> list[Path]:
    """All files of a folder and its subfolders, sorted, but hidden ones."""

    def note(error: OSError) -> None:
        text = f"{error.filename} may not be read: change its permissions"
        problems.append(Problem("unreadable folder", text))

    files = []
    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(path for path in files if path.is_file())


def _without_copies(sounds: list[Path], problems: list) -> list[Path]:
    """One recording of each stem in a folder."""
    first = {}
    for path in sounds:
        other = first.setdefault((path.parent, composed(path.stem)), path)
        if other != path:
            text = f"{other} and {path} are one recording in two files: move one of them elsewhere"
            problems.append(Problem("recording twice", text))
    return list(first.values())


def _bare(name: str) -> str:
    """A name without case and the suffixes of recordings and annotations."""
    plain = ENDING.sub("", composed(name).casefold())
    stem, suffix = os.path.splitext(plain)
    return stem if suffix in AUDIO else plain


def _by_bare_name(files: list[Path]) -> dict[str, Path]:
    return {_bare(path.name): path for path in reversed(files)}


def _read(path: Path, columns: dict | None, problems: list) -> Annotations | None:
    """The annotations of a file, or None and one problem more."""
    try:
        return read_annotations(path, columns=columns if path.suffix.lower() in TABLES else None)
    except (ValueError, OSError) as error:
        problems.append(Problem("unreadable annotation", str(error)))


def _beside(recordings: list[Path], files: list[Path]) -> dict[Path, list[Path]]:
    """Recording -> what may be its annotation, the preferred first."""
    places = {}
    for path in files:
        name = composed(path.name)
        if match := ENDING.search(name):
            stem, ending = name[: match.start()], re.sub(r"\d+", "n", match[0].lower())
            whole = Path(stem)
            if whole.suffix.lower() in AUDIO:
                stem = whole.stem + whole.suffix.lower()
            places.setdefault((path.parent, stem + ending), []).append(path)
    found = {}
    for audio in recordings:
        stem, name = composed(audio.stem), composed(audio.stem) + audio.suffix.lower()
        names = [pattern.format(stem=stem, name=name) for pattern in BESIDE.split()]
        found[audio] = [path for name in names for path in places.get((audio.parent, name), [])]
    return found


def _from_tables(files, recordings, beside, columns, problems: list, unread: list) -> dict:
    """Recording -> (its rows, file) from the tables, .csv and .tsv."""
    owner = {path: audio for audio, paths in beside.items() for path in paths}
    found, alone, near = {}, {}, _by_bare_name(recordings)
    named = {}
    for audio in recordings:
        named.setdefault(composed(audio.name), []).append(audio)
    for path in files:
        if path.suffix.lower() not in SHARED:
            continue
        table = _read(path, columns, unread)
        if table is None:
            continue
        if (table.files != "").any():
            names, which = np.unique(table.files, return_inverse=True)
            ends = np.cumsum(np.bincount(which))[:-1]
            for name, rows in zip(
                names.tolist(), np.split(np.argsort(which, kind="stable"), ends), strict=True
            ):
                _give(table.take(rows), path, named.get(name, []), near, found, problems)
        elif path in owner:
            alone.setdefault(owner[path], (table, path))
        elif len(table.rows):
            remedy = "name it as the recording, or add a column of file names"
            if other := near.get(_bare(path.name)):
                remedy = f"is it {other.name!r}? Give both one name"
            text = f"{path} belongs to no recording: {remedy}"
            problems.append(Problem("annotation without recording", text, len(table.rows)))
    return alone | found


def _give(rows: Annotations, path: Path, named: list, near: dict, found: dict, problems: list):
    """Add some rows of a table to `found`, for the one of the recordings `named` that is below."""
    name = str(rows.files[0])
    below = [audio for audio in named if path.parent in audio.parents]
    matches = [audio for audio in below if audio.parent == path.parent] or below
    if len(matches) == 1 and matches[0] not in found:
        found[matches[0]] = (rows, path)
        return
    if not matches:
        reason = "annotation without recording"
        remedy = "; add it, or drop its rows"
        if other := near.get(_bare(name)):
            remedy = f", but {other.name!r}; correct the table"
        text = f"there is no recording {name!r} in {path.parent}{remedy}"
    elif len(matches) > 1:
        reason = "annotation of several recordings"
        text = f"{name!r} may be {matches[0]} or {matches[1]}; put a table into each folder"
    else:
        reason = "recording in several tables"
        text = f"{name!r} is also in {found[matches[0]][1]}; keep one of the tables"
    problems.append(Problem(reason, f"{path}, row {rows.rows[0]}: {text}", len(rows.rows)))


def _add_files_beside(found: dict, beside: dict, columns, problems: list) -> None:
    """Add to `found` what lies beside recordings that no table has."""
    for audio, paths in beside.items():
        others = [path for path in paths if path.suffix.lower() not in SHARED]
        if audio in found or not others:
            continue
        first = others[0]
        alike = [path for path in others if _form(path) == _form(first)]
        if len(alike) > 1:
            text = f"{audio} has {first.name} and {alike[1].name}: move one of them elsewhere"
            problems.append(Problem("recording with two annotations", text))
        elif (rows := _read(first, columns, problems)) is not None:
            found[audio] = (rows, first)


def _form(path: Path) -> str:
    """How an annotation's name goes on behind that of its recording."""
    return re.sub(r"\d+", "n", ENDING.search(path.name)[0].lower())


def _strays(files: list[Path], sounds: list[Path]) -> list[Problem]:
    """The .not.mat files without a recording."""
    known = {composed(path.name).lower() + ".not.mat" for path in sounds}
    problems = []
    for path in files:
        name = composed(path.name).lower()
        if name.endswith(".not.mat") and name not in known:
            text = f"{path} belongs to no recording: add the recording, or drop the file"
            problems.append(Problem("annotation without recording", text))
    return problems


def _listed(bird: str, pairs, columns: dict | None) -> tuple[list[Song], list[Problem]]:
    """The songs of a list of (recording, annotation)."""
    pairs = list(pairs)
    if not pairs or any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        needed = "a folder or a list of (recording, annotation)"
        raise ValueError(f"songs of {bird} must be {needed}: pass one of them")
    recordings = [Path(audio) for audio, _ in pairs]
    places = [path.resolve() for path in recordings]
    for i, path in enumerate(recordings):
        if places[i] in places[:i]:
            raise ValueError(f"{path} is listed twice for {bird}: join its annotations into one")
    folder = Path(os.path.commonpath([path.absolute().parent for path in recordings]))
    songs, problems = [], []
    for audio, (_, annotation) in zip(recordings, pairs, strict=True):
        if isinstance(annotation, Annotations):
            source, rows = audio, checked(annotation, where=str(audio))
        else:
            source = Path(annotation)
            rows = _read(source, columns, problems)
        if rows is None:
            continue
        own = rows.take((rows.files == composed(audio.name)) | (rows.files == ""))
        if len(own.rows) or not len(rows.rows):
            name = audio.absolute().relative_to(folder).as_posix()
            songs.append(Song(bird, audio, composed(name), own, source))
        else:
            wrong = f"has no row for {audio}, but for {printable(str(rows.files[0]))}"
            text = f"{source} {wrong}: correct the list or the names"
            problems.append(Problem("recording without annotation", text))
    return songs, problems
