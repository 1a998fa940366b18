"""Where the n syllables of a recording are: tables, Audacity's labels, Evsonganaly's .not.mat."""

import math
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.columns import SPELLINGS, Place, composed, find_column, within_files
from rvae_lite.publishing import printable
from rvae_lite.readers.cells import decimal_mark, number, read_cells, read_lines
from rvae_lite.readers.files import size_of
from rvae_lite.readers.mat5 import read_mat5

MOST_BYTES = 2**25  # of the arrays of a .not.mat file, some 10^6 syllables
TABLES = (".csv", ".tsv", ".txt")
TOLERANCE = 1e-3  # s, by which a syllable may exceed its file: times in tables are rounded
TOUCHING = 1e-6  # s, by which the next syllable may start before the end of this one


class Annotations(NamedTuple):
    """n syllables, in the order of the file.

    Each (n,): onsets and offsets, float64 seconds; labels, text; rows, the line in a text file or
    number in another, from 1; files, names of sound files.  Text is empty where none is given.
    """

    onsets: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    files: np.ndarray

    def take(self, index) -> "Annotations":
        """The syllables at `index` (integers, a mask or a slice)."""
        return Annotations(*(field[index] for field in self))


class Problem(NamedTuple):
    """What is wrong: a few words, a sentence with file and row, how many syllables it costs."""

    reason: str
    text: str
    count: int = 1


def read_annotations(path, *, columns: dict | None = None) -> Annotations:
    """Read onsets, offsets and labels of syllables.

    Args:
        path: a table (.csv, .tsv, .txt with a header), Audacity's labels (.txt without one),
            Raven's selections, a .not.mat file of Evsonganaly, or what crowsetta reads (a Praat
            .TextGrid, say), if it is installed.  Times are in seconds, in .not.mat files in ms; the
            name of a column may say another unit: onset_ms, onset [us], Begin Time (min).
        columns: names of unusual columns of a table, such as {"onset": "t0", "label": "kind"}; the
            keys are onset, offset, label, file.  {"label": None} reads a table without labels.

    Raises:
        FileNotFoundError, PermissionError: there is no such file, or it may not be read.
        ValueError: no regular file, no text, rows of several lengths; columns are missing or
            ambiguous, a time is no number or counts samples, or the format is unknown.
    """
    path = Path(path)
    size_of(path, "annotation file")
    name = path.name.lower()
    if columns is not None and not name.endswith(TABLES):
        raise ValueError(f"columns is only for tables, and {path} is none: leave it out")
    if name.endswith(".not.mat"):
        return _read_not_mat(path)
    if not name.endswith(TABLES):
        return _read_with_crowsetta(path)
    if name.endswith(".txt") and _is_label_track(lines := read_lines(path)):
        return _read_label_track(lines, path)
    return _read_table(path, columns or {})


def check_annotations(
    annotations: Annotations, *, path, duration: float | None = None
) -> dict[int, Problem]:
    """The faulty syllables, in the order of the file: row -> what is wrong.

    A time is missing or negative, the onset is not before the offset, the syllable before it in
    the same sound file has not ended, or it reaches beyond the end of that file.

    Args:
        annotations: n syllables.
        path: of their file, for the sentences.
        duration: seconds of the sound file, where all syllables belong to one.
    """
    onsets, offsets, labels, rows, files = annotations
    order = "the onset is not before the offset"
    end = math.inf if duration is None else duration
    beyond = f"it reaches beyond the end of the recording, at {end:.6g} s"
    missing = ~(np.isfinite(onsets) & np.isfinite(offsets))
    checks = [
        ("time missing or negative", "a time is missing", missing),
        ("time missing or negative", "a time is negative", onsets < 0),
        ("zero length", order, onsets == offsets),
        ("onset after offset", order, onsets > offsets),
        (
            "outside the recording",
            f"{beyond} (are the times in seconds?)",
            offsets > end + TOLERANCE,
        ),
    ]
    faults = {}
    for reason, sentence, faulty in checks:
        for i in np.flatnonzero(faulty):
            faults.setdefault(i, (reason, sentence))
    latest = {}  # file -> the syllable that has ended last so far
    for i in np.argsort(onsets, kind="stable"):
        if i in faults:
            continue
        last = latest.setdefault(files[i], i)
        if onsets[i] < offsets[last] - TOUCHING and last != i:
            faults[i] = "overlap", f"it starts before the syllable of row {rows[last]} has ended"
        if offsets[i] > offsets[last]:
            latest[files[i]] = i
    problems = {}
    for i in sorted(faults):
        reason, sentence = faults[i]
        times = f"from {onsets[i]:.6g} to {offsets[i]:.6g} s"
        text = f"{path}, row {rows[i]}: syllable {printable(labels[i])} {times}: {sentence}"
        problems[int(rows[i])] = Problem(reason, text)
    return problems


def checked(annotations: Annotations, *, where: str) -> Annotations:
    """Annotations that a user has made, with the types that `Annotations` promises.

    Raises:
        ValueError: arrays of several lengths, times that are no numbers, rows that are no distinct
            integers.
    """
    onsets, offsets, labels, rows, files = map(np.asarray, annotations)
    shapes = sorted({str(field.shape) for field in (onsets, offsets, labels, rows, files)})
    wrong = None
    if len(shapes) > 1 or rows.ndim != 1:
        wrong = f"five arrays of one length, not of shapes {' and '.join(shapes)}"
    elif onsets.dtype.kind not in "iuf" or offsets.dtype.kind not in "iuf":
        wrong = f"with numbers as times, not {onsets.dtype} and {offsets.dtype}"
    elif rows.size and (rows.dtype.kind not in "iu" or len(np.unique(rows)) < len(rows)):
        wrong = "with an integer of its own as row of each syllable"
    if wrong is not None:
        raise ValueError(f"the annotations of {where} must be {wrong}: correct them")
    plain = np.array([composed(str(file)) for file in files.tolist()], np.str_)
    times = onsets.astype(np.float64), offsets.astype(np.float64)
    return Annotations(*times, labels.astype(np.str_), rows.astype(np.int64), plain)


def _collect(found: list[tuple]) -> Annotations:
    """From (onset, offset, label, row, file) of each syllable."""
    fields = zip(*found, strict=True) if found else [()] * 5
    types = (np.float64, np.float64, np.str_, np.int64, np.str_)
    return Annotations(*map(np.array, fields, types))


def _is_label_track(lines: list[str]) -> bool:
    """Whether the first line that is no comment holds times, or a frequency range of Audacity."""
    for line in lines:
        if line.strip() and not line.startswith("#"):
            time = number(line.split()[0].replace(",", "."))
            return line.startswith("\\") or (time is not None and not math.isnan(time))
    return True


def _read_label_track(lines: list[str], path: Path) -> Annotations:
    """Onset, offset and perhaps a label in each line, as Audacity and AVA write them."""
    rows = []
    for row, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(("\\", "#")):  # \: frequencies of the label above
            continue
        cells = [cell.strip() for cell in line.strip().split("\t")]
        if len(cells) > 3:
            raise ValueError(f"{path}, row {row} has {len(cells)} cells, not 3: correct it")
        if len(cells) < 2 or len(cells[0].split()) > 1:  # spaces separate
            cells = line.split(maxsplit=2)
        rows.append((row, line, (cells + ["", ""])[:3]))
    mark = decimal_mark([cell for *_, cells in rows for cell in cells[:2]], "\t", path)
    found = []
    for row, line, (first, second, label) in rows:
        onset, offset = number(first, mark), number(second, mark)
        if not second or onset is None or offset is None:
            problem = f"{line[:80]!r} is not an onset, an offset and a label"
            raise ValueError(f"{path}, row {row}: {problem}: correct it")
        found.append((onset, offset, label.strip(), row, ""))
    return _collect(found)


def _read_table(path: Path, columns: dict) -> Annotations:
    if unknown := sorted(set(columns) - set(SPELLINGS)):
        raise ValueError(f"columns must have keys among {', '.join(SPELLINGS)}, not {unknown[0]!r}")
    table = read_cells(path)
    names, rows = [composed(name) for name in table.rows[0][1]], table.rows[1:]
    places = {key: find_column(key, names, columns, path) for key in SPELLINGS}
    # Raven counts the times of many files from the start of the first.
    within = within_files(names) if places["file"] and "onset" not in columns else None
    mark = decimal_mark(
        [cells[place.index] for _, cells in rows for place in (places["onset"], places["offset"])],
        table.separator,
        path,
    )

    def time(key: str, place: Place, row: int, cells: list) -> float:
        value = number(cells[place.index], mark)
        if value is None:
            problem = f"the {key} {cells[place.index][:40]!r} is not a number"
            raise ValueError(f"{path}, row {row}: {problem}: correct it")
        return value / place.per_second

    found, seen = [], set()
    # Raven lists a selection once for each view, waveform and spectrogram.
    selection = names.index("Selection") if {"Selection", "View"} <= set(names) else None
    if selection is not None and not within and "onset" not in columns:
        _check_one_file(path, names, rows, places["file"])
    for row, cells in rows:
        onset, offset = (time(key, places[key], row, cells) for key in ("onset", "offset"))
        if within:
            start = time("file offset", within, row, cells)
            onset, offset = start, start + (offset - onset)
        label, file = (cells[p.index] if (p := places[key]) else "" for key in ("label", "file"))
        if selection is not None:
            known = (cells[selection], onset, offset, label, file)
            if known in seen:
                continue
            seen.add(known)
        found.append((onset, offset, label, row, file))
    return _collect(_without_folders(found, path))


def _check_one_file(path: Path, names: list, rows: list, file: Place | None) -> None:
    """Refuse Raven's table of several files that lacks the times within each."""
    files = {cells[file.index] for _, cells in rows} if file else set()
    if len(files) > 1:
        remedy = "add Raven's column 'File Offset (s)'"
        raise ValueError(f"{path} counts the times of {len(files)} files from the first: {remedy}")


def _without_folders(found: list, path: Path) -> list:
    """With the names of sound files alone: folders are those of another machine."""
    folders, names = {}, {}
    for file in {file for *_, file in found}:
        sound = PurePosixPath(composed(file).replace("\\", "/"))  # perhaps one with Windows
        if folders.setdefault(sound.name, sound.parent) != sound.parent:
            remedy = "give each folder a table of its own"
            raise ValueError(f"{path} names files {printable(sound.name)} in two folders: {remedy}")
        names[file] = sound.name
    return [(*syllable, names[file]) for *syllable, file in found]


def _read_not_mat(path: Path) -> Annotations:
    """Evsonganaly: onsets and offsets in milliseconds, and one character each as label."""
    keys, remedy = ("onsets", "offsets", "labels"), "save it again from Evsonganaly"
    content = read_mat5(path, keys, limit=MOST_BYTES, remedy=remedy)
    if missing := [key for key in keys if key not in content]:
        problem = "it is not a .not.mat file of Evsonganaly; save it again"
        raise ValueError(f"{path} has no {missing[0]!r}: {problem}")
    times = []
    for key in keys[:2]:
        array = content[key]
        if array.dtype.kind not in "iuf" or max(array.shape) < array.size:
            shape = "x".join(map(str, array.shape))
            raise ValueError(f"{path} has {key} that are no list of numbers ({shape}): {remedy}")
        times.append(array.ravel().astype(np.float64) / 1000)
    labels = _labels(content["labels"], len(times[0]))
    counts = len(times[0]), len(times[1]), len(labels)
    if len(set(counts)) > 1:
        counted = "{} onsets, {} offsets and {} labels".format(*counts)
        raise ValueError(f"{path} has {counted}: label every syllable and save it again")
    return _numbered(*times, labels, path.name[: -len(".not.mat")])


def _labels(array: np.ndarray, count: int) -> np.ndarray:
    """A row of characters, a column of them, or a word in each of `count` rows or cells."""
    if array.dtype.kind == "O":
        return array.ravel().astype(np.str_) if array.size else np.empty(0, "U1")
    if array.dtype.kind != "U":
        return np.empty(0, "U1")
    if array.ndim == 2 and 1 not in array.shape and len(array) == count and array.size:
        return np.array(["".join(row).strip() for row in array.tolist()])
    return array.ravel() if array.size in array.shape or not array.size else np.empty(0, "U1")


def _numbered(onsets, offsets, labels, file: str) -> Annotations:
    """With the rows of a file that has no lines."""
    times = (np.asarray(times, np.float64) for times in (onsets, offsets))
    rows, files = np.arange(1, len(onsets) + 1), np.full(len(onsets), composed(file))
    return Annotations(*times, np.asarray(labels, np.str_), rows, files)


def _read_with_crowsetta(path: Path) -> Annotations:
    table = "save it as a .csv table"
    try:
        import crowsetta
    except ImportError as error:
        remedy = f'{table}, or pip install "rvae_lite[annotations]" to read more formats'
        raise ValueError(f"{path} has the unknown suffix {path.suffix!r}: {remedy}") from error
    suffixes = {name: crowsetta.formats.by_name(name).ext for name in crowsetta.formats.as_list()}
    fitting = [name for name, known in suffixes.items() if path.suffix in np.atleast_1d(known)]
    if len(fitting) != 1:
        raise ValueError(f"{path} has a suffix that crowsetta does not know: {table}")
    try:
        tiers = crowsetta.Transcriber(format=fitting[0]).from_file(path).to_annot().seq
    except Exception as error:  # of many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read ({reason}): {table}") from error
    tiers = tiers if isinstance(tiers, list) else [tiers]
    if len(tiers) != 1:
        remedy = "save the one that counts as a file of its own"
        raise ValueError(f"{path} has {len(tiers)} tiers of labels: {remedy}")
    tier = tiers[0]
    if tier.onsets_s is None:
        remedy = "save them in seconds, as a .csv table"
        raise ValueError(f"{path} gives its times in samples: {remedy}")
    return _numbered(tier.onsets_s, tier.offsets_s, tier.labels, "")
