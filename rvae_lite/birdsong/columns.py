"""Which column of a table holds onsets, offsets, labels or files, and in which unit."""

import math
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from rvae_lite.readers.cells import number

# How tables call their columns, in lower case and without a unit.
SPELLINGS = dict(
    onset="onset onsets start starts begin t_start",
    offset="offset offsets onset_offset stop stops end ends t_end t_stop",
    label="label labels cluster clusters type syllable syllables syllable_type annotation "
    "annotations name",
    file="file files filename filenames file_name audio audio_file audio_files audio_filename "
    "audio_filenames audio_path audiofile notated_path begin_file begin_path wav wav_file",
)
# Beside another column of labels or files they are something else, or the same.
GIVE_WAY = {"annotation", "annotations", "begin_path"}
DURATIONS = {"duration", "durations", "dur", "length"}
# Units at the end of a column's name, each with how many make a second; some only in brackets.
UNITS = {
    1: "s sec secs second seconds",
    1 / 60: "mins minute minutes",
    1 / 3600: "hrs hour hours",
    1e3: "ms msec msecs millis millisecond milliseconds",
    1e6: "us μs usec usecs microsecond microseconds",
    1e9: "ns nanosecond nanoseconds",
}
PER_SECOND = {unit: count for count, units in UNITS.items() for unit in units.split()}
MOST_SHOWN = 12  # names of columns in a sentence
IN_BRACKETS = dict(min=1 / 60, h=1 / 3600)
BRACKETS = re.compile(r"[(\[{<]([^)\]}>]*)[)\]}>]\s*$")
HUMP = re.compile(r"(?<=[a-z]{2})(?=[A-Z])")  # of startTimeMs, but not of mSec
COUNTS = "sample samples frame frames bin bins ind inds idx index indices tick ticks"


class Place(NamedTuple):
    """Where a column is, and how many of its unit make a second."""

    index: int
    per_second: float


def composed(text: str) -> str:
    """A name in the one Unicode form in which names are compared."""
    return unicodedata.normalize("NFC", text)


def _plain(name: str) -> str:
    """A column's name as SPELLINGS have it."""
    words = HUMP.sub("_", unicodedata.normalize("NFKC", name)).lower()
    return "_".join(re.findall(r"[^\W_]+", words))


def _unit(name: str) -> tuple[str, float]:
    """A column's name without the unit of its times, and how many make a second.

    NaN of samples, 0 where brackets hold something that is no unit.
    """
    *words, last = _plain(name).split("_")
    count = PER_SECOND.get(last, math.nan if last in COUNTS.split() else None)
    if bracketed := BRACKETS.search(name):
        inner = [word for word in _plain(bracketed[1]).split("_") if word not in ("in", "time")]
        count = IN_BRACKETS.get(last, count) if inner == [last] else None
        count = 0 if count is None else count
    if count is None or not words:
        words.append(last)
    for filler in ({"in"}, {"time", "times"}):
        if len(words) > 1 and words[-1] in filler:
            words.pop()
    return "_".join(words), 1 if count is None else count


def within_files(names: list) -> Place | None:
    """Raven's column of times within each file."""
    for i, (plain, per_second) in enumerate(map(_unit, names)):
        if plain == "file_offset":
            return Place(i, per_second)


def find_column(key: str, names: list, columns: dict, path: Path) -> Place | None:
    """Where a table has the onset, offset, label or file; None where it has no labels or files.

    Args:
        key: "onset", "offset", "label" or "file".
        names: of the columns of the table at `path`.
        columns: what the user calls some of them, by key.

    Raises:
        ValueError: no such column or several; its times are counted in samples or an unknown unit,
            or are durations.
    """
    wanted, shown = columns.get(key), ", ".join(repr(name[:80]) for name in names[:MOST_SHOWN])
    shown += ", ..." * (len(names) > MOST_SHOWN)
    example, timed = f'pass columns={{"{key}": NAME}}', key in ("onset", "offset")
    units = [_unit(name) if timed else (_plain(name), 1) for name in names]
    if key in columns and wanted is None and not timed:
        return None
    if key in columns:
        matches = [i for i, name in enumerate(names) if name == composed(str(wanted)).strip()]
        absent = f"no column {wanted!r} for the {key}, but {shown}: {example}"
    else:
        known = SPELLINGS[key].split()
        matches = [i for i, (plain, _) in enumerate(units) if plain in known]
        strong = [i for i in matches if units[i][1] > 0 and units[i][0] not in GIVE_WAY]
        matches = strong or matches
        absent = f"no column for the {key} among {shown}: {example}"
        if any(number(name) is not None and name for name in names):
            absent += ", or add a first line that names the columns"
    if key == "offset":
        _check_no_duration(names if not matches else [names[matches[0]]], path)
    if len(matches) > 1:
        several = " and ".join(repr(names[i][:80]) for i in matches[:MOST_SHOWN])
        raise ValueError(f"{path} has several columns for the {key}, {several}: {example}")
    if matches and timed and not units[matches[0]][1]:
        odd = f"the unit of the {key} in {names[matches[0]][:80]!r} is not known"
        raise ValueError(f"{path}: {odd}: save seconds, and take the brackets off the name")
    if matches and math.isnan(units[matches[0]][1]):
        counted = f"the {key} in {names[matches[0]][:80]!r} counts samples"
        raise ValueError(f"{path}: {counted}: divide by the sampling rate, and save seconds")
    if matches:
        return Place(matches[0], units[matches[0]][1])
    if key == "file" and key not in columns:
        return None
    if key == "label" and key not in columns:
        absent += ', or columns={"label": None} where there are no labels'
    raise ValueError(f"{path} has {absent}")


def _check_no_duration(names: list, path: Path) -> None:
    for name in names:
        if _unit(name)[0] in DURATIONS:
            told = f"{name[:80]!r} instead of the offset: save onset + duration as offset"
            raise ValueError(f"{path} has {told}")
