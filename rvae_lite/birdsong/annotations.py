"""Where the syllables in a recording are: tables, Audacity labels, the .not.mat files of Evsonganaly, and more.

Letters: n syllables.
"""

import csv
import io
import math
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

SPELLINGS = dict(
    onset="onset onsets onset_s onsets_s onset_ms onsets_ms start starts start_s start_ms start_time start_times "
    "start_seconds start_sec begin begin_s begin_time begin_time_s t_start onset_time onset_seconds onset_sec".split(),
    offset="offset offsets offset_s offsets_s offset_ms offsets_ms stop stops stop_s stop_ms stop_time stop_times "
    "stop_seconds stop_sec end ends end_s end_ms end_time end_times end_time_s end_seconds end_sec t_end t_stop "
    "offset_time offset_seconds offset_sec onset_offset".split(),
    label="label labels cluster clusters type syllable syllables syllable_type annotation annotations name".split(),
    file="file files filename filenames file_name audio audio_file audio_files audio_filename audio_filenames "
    "audio_path audiofile notated_path begin_file wav wav_file".split(),
)
TOLERANCE = (
    1e-3  # s, that a syllable may reach beyond the end of its file: times in tables are rounded
)
TOUCHING = 1e-6  # s, by which the next syllable may start before the end of this one


class Annotations(NamedTuple):
    """n syllables, in the order of the file.

    onsets, offsets: start and end, (n,) float64 seconds.
    labels: type of each, (n,) text; empty where the file has no labels.
    rows: line in a text file, or number of the syllable in another, counted from 1, (n,).
    files: name of the sound file without its folder, (n,) text; empty where the annotations do not say.
    """

    onsets: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    files: np.ndarray

    def take(self, index) -> "Annotations":
        """The syllables at `index` (integers, a mask or a slice)."""
        return Annotations(*(field[index] for field in self))


def read_annotations(path, *, columns: dict | None = None) -> Annotations:
    """Read onsets, offsets and labels of syllables.

    Args:
        path: a table (.csv, .tsv, or .txt with a header), Audacity's labels (.txt without one), a .not.mat file of
            Evsonganaly, or what crowsetta reads (a Praat .TextGrid, say), if that package is installed. Times are in
            seconds, but in milliseconds in .not.mat files and in columns whose name ends in _ms.
        columns: names of a table's columns where they are unusual, such as {"onset": "t0", "label": "kind"}; the keys
            are onset, offset, label and file, and {"label": None} reads a table without labels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: columns are missing or ambiguous, a time is no number, or the format is unknown.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no annotation file at {path}: check the path")
    name = path.name.lower()
    if columns is not None and not name.endswith((".csv", ".tsv", ".txt")):
        raise ValueError(f"columns is only for tables, and {path} is none: leave it out")
    if name.endswith(".not.mat"):
        return _read_not_mat(path)
    if name.endswith(".txt") and columns is None and _has_no_header(path):
        return _read_label_track(path)
    if name.endswith((".csv", ".tsv", ".txt")):
        return _read_table(path, columns or {})
    return _read_with_crowsetta(path)


def check_annotations(
    annotations: Annotations, *, path, duration: float | None = None
) -> list[tuple[int, str]]:
    """What is wrong with annotations: (row, one sentence) of each faulty syllable, none where all is well.

    A syllable is faulty where a time is missing or negative, the onset is not before the offset, it starts before the
    previous one of the same sound file has ended, or it reaches beyond the end of that file.

    Args:
        annotations: n syllables.
        path: of their file, for the sentences.
        duration: length of the sound file in seconds, where all the syllables belong to one.
    """
    problems = {}
    for i, (onset, offset) in enumerate(
        zip(annotations.onsets.tolist(), annotations.offsets.tolist(), strict=True)
    ):
        if reason := _fault(onset, offset, duration):
            problems[i] = reason
    for file in np.unique(annotations.files):
        sound = [i for i in np.flatnonzero(annotations.files == file) if i not in problems]
        end, previous = -math.inf, None
        for i in sorted(sound, key=lambda i: annotations.onsets[i]):
            if annotations.onsets[i] < end - TOUCHING:
                problems[i] = (
                    f"it starts before the syllable of row {annotations.rows[previous]} has ended"
                )
            if annotations.offsets[i] > end:
                end, previous = annotations.offsets[i], i
    rows = annotations.rows.tolist()
    return [
        (rows[i], f"{path}, row {rows[i]}: {_times(annotations, i)}: {problems[i]}")
        for i in sorted(problems)
    ]


def _fault(onset: float, offset: float, duration: float | None) -> str | None:
    if not (math.isfinite(onset) and math.isfinite(offset)):
        return "a time is missing"
    if onset < 0:
        return "a time is negative"
    if onset >= offset:
        return "the onset is not before the offset"
    if duration is not None and offset > duration + TOLERANCE:
        return f"it reaches beyond the end of the recording, at {duration:.6g} s (are the times in seconds?)"
    return None


def _times(annotations: Annotations, i: int) -> str:
    return f"syllable {annotations.labels[i]!s} from {annotations.onsets[i]:.6g} to {annotations.offsets[i]:.6g} s"


def _collect(onsets, offsets, labels, rows, files) -> Annotations:
    return Annotations(
        np.array(onsets, np.float64),
        np.array(offsets, np.float64),
        np.array(labels, np.str_),
        np.array(rows, np.int64),
        np.array(files, np.str_),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: save it again as UTF-8") from error


def _has_no_header(path: Path) -> bool:
    """Whether the first line that is no comment holds times, or a frequency range of Audacity."""
    for line in _read_text(path).splitlines():
        if line.strip() and not line.startswith("#"):
            return line.startswith("\\") or _number(line.split()[0]) is not None
    return True


def _number(text: str) -> float | None:
    """A time; an empty cell is a missing time, NaN; None where the text is no number."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None


def _read_label_track(path: Path) -> Annotations:
    """Onset, offset and perhaps a label in each line, as Audacity and AVA write them."""
    found = []
    for row, line in enumerate(_read_text(path).splitlines(), 1):
        if not line.strip() or line.startswith(
            ("\\", "#")
        ):  # \: the frequencies of the label above
            continue
        onset, offset, label = (line.split(maxsplit=2) + ["", ""])[:3]
        if not offset or _number(onset) is None or _number(offset) is None:
            raise ValueError(
                f"{path}, row {row}: {line!r} is not an onset, an offset and a label: correct it"
            )
        found.append((float(onset), float(offset), label.strip(), row, ""))
    return _collect(*zip(*found, strict=True)) if found else _collect([], [], [], [], [])


def _read_table(path: Path, columns: dict) -> Annotations:
    text = _read_text(path)
    header = text.lstrip().partition("\n")[0]
    delimiter = "\t" if "\t" in header else max(",;", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except csv.Error as error:
        raise ValueError(
            f"{path}, row {reader.line_num} cannot be read ({error}): save the table again"
        ) from error
    lines = [(row, cells) for row, cells in lines if any(cells)]
    if not lines:
        raise ValueError(f"{path} is empty: a table starts with the names of its columns")
    names = lines[0][1]
    place = {key: _find_column(key, names, columns, path) for key in SPELLINGS}
    unknown = sorted(set(columns) - set(SPELLINGS))
    if unknown:
        raise ValueError(f"columns must have keys among {', '.join(SPELLINGS)}, not {unknown[0]!r}")
    found = [
        _read_row(cells, place, names, f"{path}, row {row}", delimiter == ";")
        for row, cells in lines[1:]
    ]
    onsets, offsets, labels, files = zip(*found, strict=True) if found else ([], [], [], [])
    return _collect(
        onsets, offsets, labels, [row for row, _ in lines[1:]], _sound_files(files, path)
    )


def _find_column(key: str, names: list, columns: dict, path: Path) -> int | None:
    """Where a table has the onset, offset, label or file; None where it has no labels or files."""
    shown = ", ".join(repr(name) for name in names)
    example = f'pass columns={{"{key}": NAME}}'
    if key in columns:
        if columns[key] is None and key in ("label", "file"):
            return None
        matches = [i for i, name in enumerate(names) if name == columns[key]]
        if not matches:
            raise ValueError(
                f"{path} has no column {columns[key]!r} for the {key}, but {shown}: {example}"
            )
    else:
        plain = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names]
        matches = [i for i, name in enumerate(plain) if name in SPELLINGS[key]]
    if len(matches) > 1:
        several = " and ".join(repr(names[i]) for i in matches)
        raise ValueError(f"{path} has several columns for the {key}, {several}: {example}")
    if not matches and key != "file":
        nothing = ', or columns={"label": None} where there are no labels' if key == "label" else ""
        raise ValueError(f"{path} has no column for the {key} among {shown}: {example}{nothing}")
    return matches[0] if matches else None


def _read_row(cells: list, place: dict, names: list, where: str, decimal_commas: bool) -> tuple:
    if len(cells) < len(names):
        raise ValueError(f"{where} has {len(cells)} cells, not {len(names)}: complete the table")
    times = []
    for key in ("onset", "offset"):
        cell = cells[place[key]].replace(",", ".") if decimal_commas else cells[place[key]]
        if (time := _number(cell)) is None:
            raise ValueError(f"{where}: the {key} {cell!r} is not a number: correct it")
        times.append(time / 1000 if names[place[key]].lower().strip(" )").endswith("ms") else time)
    label, file = ("" if place[key] is None else cells[place[key]] for key in ("label", "file"))
    return *times, label, file


def _sound_files(files, path: Path) -> list:
    """The names without their folders, which are those of another machine, perhaps one with Windows."""
    folders = {}
    for file in dict.fromkeys(files):
        place = PurePosixPath(file.replace("\\", "/"))
        if folders.setdefault(place.name, place.parent) != place.parent:
            raise ValueError(
                f"{path} names files {place.name} in two folders: give each folder a table of its own"
            )
    return [PurePosixPath(file.replace("\\", "/")).name for file in files]


def _read_not_mat(path: Path) -> Annotations:
    """Evsonganaly: onsets and offsets in milliseconds, and one character each as label."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, squeeze_me=True)
        onsets, offsets = (
            np.atleast_1d(content[key]).astype(np.float64) / 1000 for key in ("onsets", "offsets")
        )
        labels = list("".join(np.atleast_1d(content["labels"]).tolist()))
    except KeyError as error:
        raise ValueError(
            f"{path} has no {error}: it is not a .not.mat file of Evsonganaly; save it again"
        ) from error
    except OSError:
        raise
    except Exception as error:  # damage makes scipy raise many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read ({reason}): save it again from Evsonganaly"
        ) from error
    if not len(onsets) == len(offsets) == len(labels):
        counts = f"{len(onsets)} onsets, {len(offsets)} offsets and {len(labels)} labels"
        raise ValueError(f"{path} has {counts}: label every syllable and save it again")
    name = path.name[: -len(".not.mat")]
    return _collect(onsets, offsets, labels, np.arange(1, len(labels) + 1), [name] * len(labels))


def _read_with_crowsetta(path: Path) -> Annotations:
    try:
        import crowsetta
    except ImportError as error:
        remedy = (
            'save it as a .csv table, or pip install "rvae_lite[annotations]" to read more formats'
        )
        raise ValueError(f"{path} has the unknown suffix {path.suffix!r}: {remedy}") from error
    kinds = {
        name: np.atleast_1d(crowsetta.formats.by_name(name).ext).tolist()
        for name in crowsetta.formats.as_list()
    }
    fitting = [name for name, suffixes in kinds.items() if path.suffix in suffixes]
    if len(fitting) != 1:
        raise ValueError(
            f"{path} has a suffix that crowsetta does not know: save it as a .csv table"
        )
    try:
        sequences = crowsetta.Transcriber(format=fitting[0]).from_file(path).to_annot().seq
    except Exception as error:  # of many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read ({reason}): save it as a .csv table") from error
    if isinstance(sequences, list) and len(sequences) != 1:
        raise ValueError(
            f"{path} has {len(sequences)} tiers of labels: save the one that counts as a file of its own"
        )
    sequence = sequences[0] if isinstance(sequences, list) else sequences
    if sequence.onsets_s is None:
        raise ValueError(
            f"{path} gives its times in samples: save them in seconds, as a .csv table"
        )
    count = len(sequence.labels)
    return _collect(
        sequence.onsets_s,
        sequence.offsets_s,
        sequence.labels,
        np.arange(1, count + 1),
        [""] * count,
    )
