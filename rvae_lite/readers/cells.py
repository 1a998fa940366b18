"""How a table (.csv, .tsv, .txt) is laid out, and its cells as text.

Every row has as many cells as the first; `notes` say what was taken for what.
"""

import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.readers.files import content_of

LIMIT = 2**31  # bytes of a file
LOOKED_AT = 100  # lines from which the separator is known
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars", " ": "spaces"}
TOLD = re.compile(rb'"?sep=([\t;,|])"?[;,]*\n', re.IGNORECASE)  # Excel's own first line
NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|inf(inity)?)", re.ASCII | re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.'’ ]\d{3})+([.,]\d*)?")
MISSING = {"", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none", "-", "--"}


class Table(NamedTuple):
    """The cells of a table as text.

    rows: (line, cells) of each that is not empty, the first perhaps names of columns; lines count
    from 1, and a row of several is known by its last.
    separator: a tab, ";", "," or " " (any number of spaces).
    notes: what was taken for what, as sentences.
    """

    rows: list[tuple[int, list[str]]]
    separator: str
    notes: list[str]


class Sheet(NamedTuple):
    """UTF-8 from the first line that is no comment, and the number of that line.

    named: whether this line holds names, found in a comment.
    """

    path: Path
    content: bytes
    line: int
    separator: str
    notes: list[str]
    named: bool = False


def number(text: str, decimal: str = ".") -> float | None:
    """What a cell says: NaN where it is empty or a word for that; None where it is no number."""
    text = text.strip()
    if text.lower() in MISSING:
        return np.nan
    if decimal == ",":
        text = "no number" if "." in text else text.replace(",", ".")
    return float(text) if NUMBER.fullmatch(text) else None


def read_cells(path, *, limit: int = LIMIT) -> Table:
    """All cells of a table, each row with as many as the first.

    Args:
        path: text of UTF-8, or of UTF-16 with a byte order mark.  Lines that start with # before
            the table are comments.
        limit: bytes of the file.

    Raises:
        FileNotFoundError, PermissionError: the file is not there, or may not be read.
        ValueError: no regular file, a larger one, no text, rows of several lengths.
    """
    sheet = sheet_of(path, limit)
    rows = [(line, cells) for line, cells in rows_of(sheet) if any(cells)]
    for line, cells in rows:
        check_count(sheet, line, cells, len(rows[0][1]))
    return Table(rows, sheet.separator, sheet.notes)


def decimal_mark(cells: list[str], separator: str, path) -> str:
    """The decimal mark of some columns' cells: a comma only where no comma separates cells.

    Raises:
        ValueError: between tabs, spaces or bars, all commas may as well be those of thousands.
    """
    commas = [cell for cell in cells if "," in cell]
    commas = [cell for cell in commas if number(cell, ",") is not None]
    if separator not in ",;" and commas and all(map(THOUSANDS.fullmatch, commas)):
        both = f"commas of thousands or of decimals ({commas[0][:40]!r})"
        raise ValueError(f"{path} has {both}: save it with decimal points")
    return "," if separator != "," and any("," in cell for cell in cells) else "."


def read_lines(path, *, limit: int = LIMIT) -> list[str]:
    """All lines of a text, without what ends them.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as for `read_cells`.
    """
    content, _ = _utf8(Path(path), content_of(path, "table", limit=limit))
    return content.decode().split("\n")


def sheet_of(path, limit: int = LIMIT) -> Sheet:
    """A table's text from its first line that is no comment, and what separates its cells.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as for `read_cells`.
    """
    path = Path(path)
    content, notes = _utf8(path, content_of(path, "table", limit=limit))
    line, start, comment = 1, 0, None
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        first = content[start:end].lstrip()
        if first and not first.startswith(b"#"):
            break
        if first and comment is None:
            notes.append("lines before the table that start with # were taken for comments")
        comment = first.lstrip(b"#").strip() if first else comment and b""
        line, start = line + 1, end + 1
    content = content[start:]
    if told := TOLD.match(content):
        content, line = content[told.end() :], line + 1
    if not content or content.isspace():
        raise _empty(path)
    separator = told[1].decode() if told else _separator(path, content)
    usual = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    if usual is not None and separator != usual:
        notes.append(f"cells are separated by {SEPARATORS[separator]}")
    sheet = Sheet(path, content, line, separator, notes)
    return _named_above(sheet, comment.decode()) if comment and not told else sheet


def _named_above(sheet: Sheet, comment: str) -> Sheet:
    """The table with names of columns, where the comment above it has one for each number."""
    names, first = (
        [cell.strip() for cell in (_words(text) if sheet.separator == " " else cells)]
        for text in (comment, head_of(sheet.content, 1).decode())
        for cells in [text.split(sheet.separator)]
    )
    plain = all(name and number(name) is None for name in names)
    if not plain or len(names) != len(first) or all(number(cell) is None for cell in first):
        return sheet
    sheet.notes[:] = [note for note in sheet.notes if "comments" not in note]
    sheet.notes.append("the line before the table that starts with # was taken for names")
    content = comment.encode() + b"\n" + sheet.content
    return sheet._replace(content=content, line=sheet.line - 1, named=True)


def _empty(path: Path) -> ValueError:
    return ValueError(f"{path} is empty: a table starts with the names of its columns")


def _utf8(path: Path, content: bytes) -> tuple[bytes, list[str]]:
    """The text as UTF-8 with a line feed after each line, without a mark."""
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    encoding, notes = MARKS.get(mark, "utf-8"), []
    try:
        if encoding == "utf-16":
            content = content.decode("utf-16").encode()
            notes.append("the text is UTF-16")
        elif not content.isascii():
            content = content.removeprefix(mark)
            content.decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        name = encoding.upper()
        raise ValueError(f"{path} is not {name} text: save it again as UTF-8") from error
    if b"\0" in content:
        raise ValueError(f"{path} holds NUL bytes and is no text: save it again as UTF-8")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content, notes


def head_of(content: bytes, count: int) -> bytes:
    """The first lines of a text, each with its line feed."""
    end = 0
    for _ in range(count):
        end = content.find(b"\n", end) + 1
        if end == 0:
            return content
    return content[:end]


def _words(line: str, *, strict: bool = False) -> list[str]:
    """What spaces separate; quotes hold words together."""
    if '"' not in line:
        return line.split()
    options = dict(delimiter=" ", skipinitialspace=True, strict=strict)
    return next(csv.reader([line.strip()], **options), [])


def _separator(path: Path, content: bytes) -> str:
    """What cuts the first lines into equal numbers of cells; else the most of the first line."""
    lines = head_of(content, LOOKED_AT).decode().split("\n")
    lines = [re.sub(r'"[^"]*"', '""', line) for line in lines if line.strip()]
    counts = {mark: [line.count(mark) for line in lines] for mark in "\t;,|"}
    seen = {mark: found for mark, found in counts.items() if found[0]}
    for mark, found in seen.items():
        if len(set(found)) == 1:
            return mark
    # R leaves out the name of its column of names.
    for mark, found in seen.items():
        if set(found[1:]) == {found[0] + 1}:
            return mark
    if seen:
        return max(seen, key=lambda mark: (counts[mark].count(counts[mark][0]), counts[mark][0]))
    cells = [_words(line) for line in lines]
    widths = {len(row) - len(cells[0]) for row in cells[1:]}
    inner = [cell for row in cells[1:] or cells for cell in row[1 in widths :]]
    plain = all(number(cell) is not None for cell in inner) or path.suffix.lower() == ".txt"
    spaces = len(cells[-1]) > 1 and widths in (set(), {0}, {1}) and plain
    return " " if spaces else ","


def rows_of(sheet: Sheet) -> list[tuple[int, list[str]]]:
    """Line and stripped cells of each row that is not blank, comments left out."""
    text, first = sheet.content.decode(), sheet.line - 1
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=sheet.separator,
        strict=True,
        skipinitialspace=True,
    )
    try:
        if sheet.separator == " ":
            rows = [
                (first + i, _words(line, strict=True)) for i, line in enumerate(text.split("\n"), 1)
            ]
        else:
            rows = [(first + reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        where = f"{sheet.path}, row {first + max(reader.line_num, 1)}"
        raise ValueError(f"{where} cannot be read ({error}): save the table again") from error
    rows = [(line, cells) for line, cells in rows if cells and cells != [""]]
    if not any(any(cells) for _, cells in rows):
        raise _empty(sheet.path)
    width = len(rows[0][1])
    comments = {n for n, cells in rows if cells[0].startswith("#") and len(cells) != width}
    if comments:
        sheet.notes.append(f"rows that start with # were taken for comments ({len(comments)})")
    return [row for row in rows if row[0] not in comments]


def check_count(sheet: Sheet, line: int, cells: list, width: int) -> None:
    """Refuse a row that has more cells than the table has columns, or fewer.

    Raises:
        ValueError: names the line, from 1.
    """
    if len(cells) != width:
        found = f"row {line} has {len(cells)} cells, not {width}"
        raise ValueError(f"{sheet.path}, {found}: complete the table")
