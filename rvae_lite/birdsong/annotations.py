"""Where the n syllables of a recording are: tables, Audacity's labels, Evsonganaly's .not.mat."""

import csv
import io
import math
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

# How tables call their columns, in lower case and without what UNIT finds.
SPELLINGS = dict(
    onset="onset onsets start starts begin t_start",
    offset="offset offsets onset_offset stop stops end ends t_end t_stop",
    label="label labels cluster clusters type syllable syllables syllable_type annotation "
    "annotations name",
    file="file files filename filenames file_name audio audio_file audio_files audio_filename "
    "audio_filenames audio_path audiofile notated_path begin_file wav wav_file",
)
UNIT = re.compile(r"(_times?)?(_s|_ms|_sec|_seconds)?$")
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
        path: a table (.csv, .tsv, .txt with a header), Audacity's labels (.txt without one), a
            .not.mat file of Evsonganaly, or what crowsetta reads (a Praat .TextGrid, say), if it
            is installed.  Times are in seconds; in .not.mat files and columns called ..._ms in ms.
        columns: names of unusual columns of a table, such as {"onset": "t0", "label": "kind"}; the
            keys are onset, offset, label, file.  {"label": None} reads a table without labels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: columns are missing or ambiguous, a time is no number, or the format is unknown.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no annotation file at {path}: check the path")
    name = path.name.lower()
    if columns is not None and not name.endswith(TABLES):
        raise ValueError(f"columns is only for tables, and {path} is none: leave it out")
    if name.endswith(".not.mat"):
        return _read_not_mat(path)
    if not name.endswith(TABLES):
        return _read_with_crowsetta(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: save it again as UTF-8") from error
    if name.endswith(".txt") and _has_no_header(text):
        return _read_label_track(text, path)
    return _read_table(text, path, columns or {})


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
        text = f"{path}, row {rows[i]}: syllable {labels[i]} {times}: {sentence}"
        problems[int(rows[i])] = Problem(reason, text)
    return problems


def _collect(found: list[tuple]) -> Annotations:
    """From (onset, offset, label, row, file) of each syllable."""
    fields = zip(*found, strict=True) if found else [()] * 5
    types = (np.float64, np.float64, np.str_, np.int64, np.str_)
    return Annotations(*map(np.array, fields, types))


def _number(text: str) -> float | None:
    """A time; an empty cell is a missing time, NaN; None where the text is no number."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None


def _has_no_header(text: str) -> bool:
    """Whether the first line that is no comment holds times, or a frequency range of Audacity."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            return line.startswith("\\") or _number(line.split()[0]) is not None
    return True


def _read_label_track(text: str, path: Path) -> Annotations:
    """Onset, offset and perhaps a label in each line, as Audacity and AVA write them."""
    found = []
    for row, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(("\\", "#")):  # \: frequencies of the label above
            continue
        first, second, label = (line.split(maxsplit=2) + ["", ""])[:3]
        onset, offset = _number(first), _number(second)
        if not second or onset is None or offset is None:
            problem = f"{line!r} is not an onset, an offset and a label"
            raise ValueError(f"{path}, row {row}: {problem}: correct it")
        found.append((onset, offset, label.strip(), row, ""))
    return _collect(found)


def _split_table(text: str, path: Path) -> tuple[list, str]:
    """Row and cells of each line that is not empty, and what separates the cells."""
    header = text.lstrip().partition("\n")[0]
    delimiter = "\t" if "\t" in header else max(",;", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except csv.Error as error:
        where = f"{path}, row {reader.line_num}"
        raise ValueError(f"{where} cannot be read ({error}): save the table again") from error
    return [(row, cells) for row, cells in lines if any(cells)], delimiter


def _read_table(text: str, path: Path, columns: dict) -> Annotations:
    lines, delimiter = _split_table(text, path)
    if not lines:
        raise ValueError(f"{path} is empty: a table starts with the names of its columns")
    names = lines[0][1]
    place = {key: _find_column(key, names, columns, path) for key in SPELLINGS}
    if unknown := sorted(set(columns) - set(SPELLINGS)):
        raise ValueError(f"columns must have keys among {', '.join(SPELLINGS)}, not {unknown[0]!r}")
    found, folders = [], {}
    for row, cells in lines[1:]:
        where, times = f"{path}, row {row}", []
        if len(cells) < len(names):
            raise ValueError(
                f"{where} has {len(cells)} cells, not {len(names)}: complete the table"
            )
        for key in ("onset", "offset"):
            cell = cells[place[key]]
            time = _number(cell.replace(",", ".") if delimiter == ";" else cell)
            if time is None:
                raise ValueError(f"{where}: the {key} {cell!r} is not a number: correct it")
            in_ms = names[place[key]].lower().strip(" )").endswith("ms")
            times.append(time / 1000 if in_ms else time)
        label, file = ("" if place[key] is None else cells[place[key]] for key in ("label", "file"))
        # Folders are those of another machine, perhaps one with Windows.
        sound = PurePosixPath(file.replace("\\", "/"))
        if folders.setdefault(sound.name, sound.parent) != sound.parent:
            remedy = "give each folder a table of its own"
            raise ValueError(f"{path} names files {sound.name} in two folders: {remedy}")
        found.append((*times, label, row, sound.name))
    return _collect(found)


def _find_column(key: str, names: list, columns: dict, path: Path) -> int | None:
    """Where a table has the onset, offset, label or file; None where it has no labels or files."""
    wanted, shown = columns.get(key), ", ".join(map(repr, names))
    example = f'pass columns={{"{key}": NAME}}'
    if key in columns and wanted is None and key in ("label", "file"):
        return None
    if key in columns:
        matches = [i for i, name in enumerate(names) if name == wanted]
        absent = f"no column {wanted!r} for the {key}, but {shown}: {example}"
    else:
        plain = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names]
        plain = [UNIT.sub("", name) for name in plain] if key in ("onset", "offset") else plain
        matches = [i for i, name in enumerate(plain) if name in SPELLINGS[key].split()]
        absent = f"no column for the {key} among {shown}: {example}"
    if len(matches) > 1:
        several = " and ".join(repr(names[i]) for i in matches)
        raise ValueError(f"{path} has several columns for the {key}, {several}: {example}")
    if matches or (key == "file" and key not in columns):
        return matches[0] if matches else None
    if key == "label" and key not in columns:
        absent += ', or columns={"label": None} where there are no labels'
    raise ValueError(f"{path} has {absent}")


def _read_not_mat(path: Path) -> Annotations:
    """Evsonganaly: onsets and offsets in milliseconds, and one character each as label."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, squeeze_me=True)
        onsets = np.atleast_1d(content["onsets"]).astype(np.float64) / 1000
        offsets = np.atleast_1d(content["offsets"]).astype(np.float64) / 1000
        labels = list("".join(np.atleast_1d(content["labels"]).tolist()))
    except KeyError as error:
        problem = "it is not a .not.mat file of Evsonganaly; save it again"
        raise ValueError(f"{path} has no {error}: {problem}") from error
    except OSError:
        raise
    except Exception as error:  # damage makes scipy raise many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        remedy = "save it again from Evsonganaly"
        raise ValueError(f"{path} cannot be read ({reason}): {remedy}") from error
    if not len(onsets) == len(offsets) == len(labels):
        counts = f"{len(onsets)} onsets, {len(offsets)} offsets and {len(labels)} labels"
        raise ValueError(f"{path} has {counts}: label every syllable and save it again")
    return _number_rows(onsets, offsets, labels, path.name[: -len(".not.mat")])


def _number_rows(onsets, offsets, labels, file: str) -> Annotations:
    syllables = zip(onsets, offsets, labels, strict=True)
    return _collect([(*syllable, row, file) for row, syllable in enumerate(syllables, 1)])


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
    return _number_rows(tier.onsets_s, tier.offsets_s, tier.labels, "")
