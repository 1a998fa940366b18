"""Tables of numbers (.csv, .tsv, .txt) as arrays, with notes of what was taken for what.

Letters: N rows, D columns.
"""

import csv
import io
import re
import unicodedata
from typing import NamedTuple

import numpy as np

from rvae_lite.publishing import printable
from rvae_lite.readers.cells import (
    LIMIT,
    THOUSANDS,
    Sheet,
    check_count,
    decimal_mark,
    head_of,
    number,
    rows_of,
    sheet_of,
)

WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
TRUTH = dict(true=1.0, false=0.0)
UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?")  # as pandas calls what had no name
FEWEST = 3  # numbers in a row that are taken for names where the rows below leave it open
MANY = 6  # of which a row that rises, as none below it does, is no accident
NO_FEATURES = {"class", "id", "index", "label", "labels", "target"}
SEEN = 25  # rows in which fractions are looked for


class _Column(NamedTuple):
    """Values below the first row, (N,), or None; text unless all are plain numbers; decimal mark.

    The mark is "," or "." where a value has one, else empty.
    """

    values: np.ndarray | None
    cells: list[str] | None
    mark: str


def read_numbers(
    path, *, columns: list[str] | None = None, header: bool | None = None, limit: int = LIMIT
) -> tuple[np.ndarray, list[str] | None, list[str]]:
    """Examples as rows of numbers: (N, D) float64, names of the D columns or None, and notes.

    Empty cells and words for them (NA, NaN, null ...) are NaN.  Without `columns`, a column that
    has no name is left out if it counts the rows, names them or is empty.

    Args:
        path: a table, its cells separated by commas, semicolons, tabs or spaces, with decimal
            commas or points; with commas between the cells only points.
        columns: the names of those to read, in this order; "0", "1" ... where there are no names.
        header: whether the first row holds names; by default as its cells and the others tell.
        limit: bytes of the file.

    Raises:
        FileNotFoundError, PermissionError: the file is not there, or may not be read.
        ValueError: no regular file, no text, no rows, rows of several lengths, a cell that is no
            number, columns that are absent, alike or without a name, a first row that may be both
            names and numbers.
    """
    sheet = sheet_of(path, limit)
    first, found = _columns(sheet)
    _check_commas(sheet)
    if len(first) < len(found):
        first = ["", *first]
        sheet.notes.append("the first row has a name less than cells: row names have none")
    firsts = [_value(cell, column) for cell, column in zip(first, found, strict=True)]
    named = sheet.named or header
    if named is None or (header is None and not sheet.named):
        named = _has_names(sheet, first, firsts, found)
    count = len(found[0].values if found[0].cells is None else found[0].cells)
    if named and not count:
        raise ValueError(f"{path} holds names of columns, but no rows: add the examples")
    names = [unicodedata.normalize("NFC", name) for name in first] if named else None
    if columns is None:
        chosen = _all(sheet, names, found, count)
    else:
        chosen = _chosen(sheet, names or [str(i) for i in range(len(found))], columns)
    _check_numbers(sheet, names, [] if named else firsts, found, chosen, asked=columns is not None)
    x = np.stack([found[i].values for i in chosen], 1)
    if not named:
        x = np.concatenate([[[firsts[i] for i in chosen]], x])
    elif columns is None and len(chosen) > 1:
        _note_doubtful(sheet, [names[i] for i in chosen], x)
    return x, [names[i] for i in chosen] if named else None, sheet.notes


def _note_doubtful(sheet: Sheet, names: list[str], x: np.ndarray) -> None:
    """Note columns that may count, name or classify the rows."""
    remedy = "if it is no feature, choose the others by key"
    if _counts(x[:, 0], FEWEST):
        sheet.notes.append(f"the first column, {names[0]!r}, counts the rows: {remedy}")
        names = names[1:]
    for name in names:
        if name.lower() in NO_FEATURES:
            sheet.notes.append(f"column {name!r} was taken for a feature: {remedy}")


# The cells below the first row


def _columns(sheet: Sheet) -> tuple[list[str], list[_Column]]:
    """Cells of the first row, and the columns below it."""
    line = head_of(sheet.content, 1)
    if line.count(b'"') % 2 == 0:
        first = rows_of(sheet._replace(content=line))[0][1]
        found = _by_pandas(sheet, len(line))
        if found is not None and _fits(sheet, first, found):
            return first, found
    (_, first), *rows = rows_of(sheet)
    while rows and not any(rows[-1][1]):
        rows.pop()
        if "empty rows at the end were left out" not in sheet.notes:
            sheet.notes.append("empty rows at the end were left out")
    width = len(rows[0][1]) if rows else len(first)
    found = [
        _column([cells[i] for _, cells in rows if i < len(cells)], sheet.separator)
        for i in range(width)
    ]
    if not _fits(sheet, first, found):
        width = len(first)
    for number_, cells in rows:
        check_count(sheet, number_, cells, width)
    return first, found


def _fits(sheet: Sheet, first: list, found: list) -> bool:
    """Whether there is a column for each cell of the first row, or one more, of R's row names."""
    if len(found) != len(first) + 1:
        return len(found) == len(first)
    if any(number(cell) is not None for cell in first):
        return False
    names = found[0].values is None or _counts(found[0].values, 1)
    if found[0].values is None or sheet.separator != ",":
        return names
    # Else the commas may be those of decimals.
    line = head_of(sheet.content, 1)
    return names and (b'"' in line or (len(first) > 1 and sheet.content.find(b".", len(line)) > 0))


def _by_pandas(sheet: Sheet, start: int) -> list[_Column] | None:
    """The columns of a plain table; None if it has quotes, comments, gaps or uneven rows."""
    import pandas as pd

    odd = any(sheet.content.find(mark, start) >= 0 for mark in (b'"', b"#"))
    if odd or sheet.separator == " " or start == len(sheet.content):
        return None
    mark = "," if sheet.separator != "," and sheet.content.find(b",", start) >= 0 else "."
    options = dict(sep=sheet.separator, decimal=mark, quoting=csv.QUOTE_NONE, low_memory=False)
    try:
        file = io.BytesIO(sheet.content)
        file.seek(start)
        frame = pd.read_csv(file, header=None, index_col=False, **options)
    except ValueError:  # of uneven rows
        return None
    body = np.frombuffer(sheet.content, np.uint8, offset=start)
    cuts = np.count_nonzero(body == ord(sheet.separator))
    even = cuts == (frame.shape[1] - 1) * len(frame)
    # A row that is too short lacks its last cell.
    if not even or frame.iloc[:, -1].isna().any():
        return None
    if all(dtype.kind in "iuf" for dtype in frame.dtypes):
        columns = frame.to_numpy(np.float64).T
        return [_Column(values, None, _mark_of(values, mark)) for values in columns]
    found = []
    for name in frame:
        if frame[name].dtype.kind in "iuf":
            values = frame[name].to_numpy(np.float64)
            found.append(_Column(values, None, _mark_of(values, mark)))
        else:
            cells = frame[name].fillna("").astype(str).tolist()
            found.append(_column(cells, sheet.separator))
    return found


def _mark_of(values: np.ndarray, mark: str) -> str:
    if mark == ".":
        return mark
    broken = np.isfinite(values) & (values != np.floor(values))
    return mark if broken.any() else ""


def _value(cell: str, column: _Column) -> float | None:
    """The number that the first row has above a column, if it has one."""
    if column.cells and column.cells[0].lower() in TRUTH and column.values is not None:
        return TRUTH.get(cell.lower(), number(cell))
    return number(cell, column.mark or ".")


def _column(cells: list[str], separator: str) -> _Column:
    """With decimal commas where it has commas and no comma separates cells."""
    mark = "," if separator != "," and any("," in cell for cell in cells) else "."
    values = []
    for cell in cells:
        values.append(number(cell, mark))
        if values[-1] is None:
            break
    if None not in values:
        return _Column(
            np.array(values, float), cells, mark if any(mark in c for c in cells) else ""
        )
    if all(cell.strip().lower() in TRUTH for cell in cells):
        return _Column(np.array([TRUTH[cell.strip().lower()] for cell in cells]), cells, "")
    return _Column(None, cells, "")


def _check_commas(sheet: Sheet) -> None:
    """Refuse commas before three digits where they may be of decimals or of thousands."""
    if sheet.separator not in ",;" and b"," in sheet.content:
        cells = re.split(r"[\t\n |]+", sheet.content.decode())
        decimal_mark(cells, sheet.separator, sheet.path)


# What is a name


def _counts(values: np.ndarray | None, fewest: int) -> bool:
    """Whether values are 0, 1 ... or 1, 2 ..., at least so many of them."""
    if values is None or len(values) < fewest or values[0] not in (0, 1):
        return False
    return np.array_equal(values, np.arange(len(values)) + values[0])


def _has_names(sheet: Sheet, first: list, firsts: list, found: list[_Column]) -> bool:
    """Whether the first row holds names: text above numbers, or whole numbers above fractions."""
    if any(
        value is None and column.values is not None
        for value, column in zip(firsts, found, strict=True)
    ):
        return True
    words = [value is None for value in firsts]
    inner = [i for i, cell in enumerate(first) if cell and not words[i]]
    if not inner or (not first[0] and found[0].values is None):
        return any(words) or bool(inner)
    row, shown = np.array([firsts[i] for i in inner]), _listed([first[i] for i in inner], 4)
    example = f"the first row ({shown}) was taken for an example"
    rising = len(row) >= FEWEST and (np.diff(row) > 0).all()
    unlike = rising and not _any_rises([found[i] for i in inner])
    doubt = f"{sheet.path}, row {sheet.line} ({shown}) may be names or numbers"
    doubt += ": name them by words, or say which by header="
    if not all(WHOLE.fullmatch(first[i]) for i in inner):
        if unlike and len(row) >= MANY:
            raise ValueError(doubt)
        sheet.notes.extend([example] if unlike or _counts(row, 2) else [])
        return False
    head = sheet._replace(content=head_of(sheet.content, SEEN))
    below = [cells for _, cells in rows_of(head)[1:]]
    whole = [[bool(WHOLE.fullmatch(cells[i])) for cells in below if cells[i]] for i in inner]
    fractions = [not any(each) and bool(each) for each in whole]
    corner = not first[0] and len(inner) == len(first) - 1 and _counts(found[0].values, 1)
    if _counts(row, 1) and (any(fractions) or any(words) or corner):
        sheet.notes.append(f"the first row ({shown}) was taken for names of columns")
        return True
    if rising and (all(fractions) or (_counts(row, 1) and not all(map(all, whole)))):
        raise ValueError(doubt)
    if unlike and len(row) >= MANY:
        raise ValueError(doubt)
    if unlike or _counts(row, 2) or (below and all(fractions)):
        sheet.notes.append(example)
    return False


def _any_rises(columns: list[_Column]) -> bool:
    """Whether the numbers of one of the rows below rise from column to column, if there are two."""
    below = [column.values[:SEEN] for column in columns if column.values is not None]
    return not below or len(below[0]) < 2 or bool((np.diff(below, axis=0) > 0).all(0).any())


def _all(sheet: Sheet, names: list | None, found: list[_Column], count: int) -> list[int]:
    """Which columns are features: all but those without a name that count, name or say nothing."""
    kept = []
    for i, column in enumerate(found):
        if names is None or not (names[i] == "" or UNNAMED.fullmatch(names[i])):
            kept.append(i)
            continue
        which = f"column {i + 1}, which has no name,"
        if column.values is not None and np.isnan(column.values).all():
            sheet.notes.append(f"{which} is empty and was left out")
        elif _counts(column.values, 1):
            sheet.notes.append(f"{which} counts the rows and was left out")
        elif column.values is None and i == 0:
            sheet.notes.append(f"{which} names the rows and was left out")
        else:
            raise ValueError(f"{sheet.path}, column {i + 1} has no name: name it, or delete it")
    if not kept:
        raise ValueError(f"{sheet.path} has no columns of numbers: add the examples")
    return kept


def _chosen(sheet: Sheet, names: list, columns: list[str]) -> list[int]:
    wanted = [unicodedata.normalize("NFC", str(name)).strip() for name in columns]
    there = _listed([name for name in names if name], 8)
    if missing := [name for name in wanted if name not in names]:
        lacking = _listed([name or "''" for name in missing], 8)
        raise ValueError(f"{sheet.path} has no columns {lacking}: it has {there}")
    if not wanted:
        raise ValueError(f"columns must name some of {sheet.path}: it has {there}")
    for name in wanted:
        if wanted.count(name) > 1:
            raise ValueError(f"column {name!r} of {sheet.path} is chosen twice: name it once")
        if names.count(name) > 1:
            raise ValueError(f"{sheet.path} has several columns {name!r}: rename all but one")
    return [names.index(name) for name in wanted]


def _listed(names: list[str], most: int) -> str:
    return ", ".join(map(printable, names[:most])) + (", ..." if len(names) > most else "")


def _check_numbers(sheet, names, firsts, found, chosen, *, asked: bool) -> None:
    """Refuse text, a cell that is no number, and two kinds of decimal marks, in those chosen."""
    texts = [i for i in chosen if found[i].values is None or (firsts and firsts[i] is None)]
    called = {i: repr(names[i]) if names else f"column {i + 1}" for i in chosen}
    for i in texts:
        bad = [k for k, cell in enumerate(found[i].cells or []) if _plain(sheet, cell) is None]
        few = found[i].cells and 2 * len(bad) < len(found[i].cells)
        if asked or few or (bad and not found[i].cells[bad[0]][:1].isalpha()):
            line, cells = rows_of(sheet)[bad[0] + 1 if bad else 0]
            cell = cells[i + len(cells) - len(found)]
            why = "correct it, or leave the column out"
            if THOUSANDS.fullmatch(cell):
                why = "write it without marks between thousands"
            place = f"{sheet.path}, row {line}, column {i + 1}"
            raise ValueError(f"{place}: {cell[:40]!r} is not a number: {why}")
    if texts:
        shown = _listed([names[i] if names else f"number {i + 1}" for i in texts], 4)
        told = f"columns that are no numbers ({shown})"
        raise ValueError(f"{sheet.path} has {told}: choose the columns by key")
    marks = {found[i].mark: i for i in chosen}
    if "," in marks and "." in marks:
        both = f"decimal commas in {called[marks[',']]} and points in {called[marks['.']]}"
        raise ValueError(f"{sheet.path} has {both}: write all alike")
    if "," in marks:
        sheet.notes.append("commas were taken for decimal marks")


def _plain(sheet: Sheet, cell: str) -> float | None:
    """A cell's number with any decimal mark that its table may have."""
    if sheet.separator != "," and "," in cell:
        return number(cell, ",")
    return number(cell)
